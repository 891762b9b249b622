"""Filling in a modal: the fields by ``custom_id`` in, the components of a MODAL_SUBMIT out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flora_simulator.errors import ActRefused
from flora_simulator.simcord_port import SELECT_TYPES, ComponentType, walk_components
from flora_simulator.slash_values import Resolver

Json = dict[str, Any]
Given = Mapping[str, str | bool | list[str]]


def fill(modal: Json, fields: Given, resolver: Resolver) -> list[Json]:
    """The submitted components of ``modal``, which SimCord has validated.

    Raises ActRefused naming the field that is unknown, missing, or holds what it may not.
    """
    known = [c["custom_id"] for c in walk_components(modal["components"]) if "custom_id" in c]
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise ActRefused(f"the modal has no field {unknown[0]}; it has: {', '.join(known)}")
    return [_submitted(component, fields, resolver) for component in modal["components"]]


def _submitted(component: Json, fields: Given, resolver: Resolver) -> Json:
    kind = component["type"]
    answer: Json = {"type": kind, "id": component.get("id", 0)}
    if kind == ComponentType.ACTION_ROW:
        answer["components"] = [_submitted(child, fields, resolver) for child in component["components"]]
    elif kind == ComponentType.LABEL:
        answer["component"] = _submitted(component["component"], fields, resolver)
    elif kind != ComponentType.TEXT_DISPLAY:
        name = component["custom_id"]
        answer["custom_id"] = name
        answer |= _control(component, fields.get(name), resolver)
    return answer


def _control(component: Json, given: str | bool | list[str] | None, resolver: Resolver) -> Json:
    name, kind = component["custom_id"], component["type"]
    needs_it = component.get("required", kind != ComponentType.CHECKBOX)
    if given in (None, "", []) and needs_it and kind != ComponentType.CHECKBOX:
        raise ActRefused(f"modal field {name} is required")
    if kind == ComponentType.TEXT_INPUT:
        return {"value": _text(component, given)}
    if kind == ComponentType.CHECKBOX:
        return {"value": bool(component.get("default", False) if given is None else given)}
    if kind == ComponentType.RADIO_GROUP:
        return {"value": _one_of(component, given) if given else None}
    if kind == ComponentType.CHECKBOX_GROUP or kind in SELECT_TYPES:
        values = [given] if isinstance(given, str) else given
        return {"values": selected(component, values if isinstance(values, list) else [], resolver)}
    raise ActRefused(f"modal field {name} is of a kind that the simulator cannot fill in ({kind})")


def _text(component: Json, given: object) -> str:
    name, text = component["custom_id"], "" if given is None else given
    if not isinstance(text, str):
        raise ActRefused(f"modal field {name} is a text, not {text!r}")
    low, high = component.get("min_length") or 0, component.get("max_length") or 4000
    if text and not low <= len(text) <= high:
        raise ActRefused(f"modal field {name} takes {low} to {high} characters, not {len(text)}")
    return text


def _one_of(component: Json, given: object) -> str:
    values = [option["value"] for option in component.get("options") or []]
    if given not in values:
        raise ActRefused(f"{component['custom_id']} has no option {given!r}; it has: {', '.join(values)}")
    return str(given)


def selected(component: Json, values: list[str], resolver: Resolver) -> list[str]:
    """The chosen values of a select menu or checkbox group; entities may be given by name."""
    name = component["custom_id"]
    low, high = component.get("min_values"), component.get("max_values")
    low, high = 1 if low is None else low, 1 if high is None else high
    if component["type"] == ComponentType.CHECKBOX_GROUP:
        high = component.get("max_values") or len(component.get("options") or [])
    if values and not low <= len(values) <= high:
        raise ActRefused(f"{name} takes {low} to {high} values, not {len(values)}")
    if len(set(values)) < len(values):
        raise ActRefused(f"{name}: a value is chosen twice")
    resolve: Callable[[str], str] | None = {
        ComponentType.USER_SELECT: resolver.user,
        ComponentType.ROLE_SELECT: resolver.role,
        ComponentType.CHANNEL_SELECT: resolver.channel,
        ComponentType.MENTIONABLE_SELECT: resolver.mentionable,
    }.get(component["type"])
    return [resolve(value) if resolve is not None else _one_of(component, value) for value in values]
