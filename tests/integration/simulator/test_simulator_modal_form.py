"""Filling in modals and menus of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from flora_simulator import GuildSpec, MemberSpec, RoleSpec, WorldSpec
from flora_simulator.errors import ActRefused
from flora_simulator.live_backend import LiveBackend
from flora_simulator.modal_form import fill, selected
from flora_simulator.simcord_port import validate_modal
from flora_simulator.slash_values import Resolver
from flora_simulator.world import World

OPTIONS = [{"label": "Red", "value": "r"}, {"label": "Green", "value": "g"}, {"label": "Blue", "value": "b"}]


@pytest.fixture
def resolver() -> Resolver:
    guild = GuildSpec(
        "garden",
        id="1001",
        owner="ada",
        roles=(RoleSpec("mods", id="3001"),),
        members=(MemberSpec("ada", id="4001"), MemberSpec("bob", id="4002")),
    )
    world = World(WorldSpec(guilds=(guild,)), LiveBackend())
    return Resolver(world, world.user("ada"), world.channel("general"), world.guild(None))


def label(component: dict[str, Any]) -> dict[str, Any]:
    return {"type": 18, "label": "What", "component": component}


def submit(resolver: Resolver, component: dict[str, Any], **fields: Any) -> dict[str, Any]:
    modal = {"custom_id": "m", "title": "M", "components": [label(component)]}
    (submitted,) = fill(validate_modal(modal), fields, resolver)
    return submitted["component"]


TEXT = {"type": 4, "custom_id": "x", "style": 1}
MENU = {"type": 3, "custom_id": "x", "options": OPTIONS}
RADIO = {"type": 21, "custom_id": "x", "options": OPTIONS, "required": True}
GROUP = {"type": 22, "custom_id": "x", "options": OPTIONS, "required": False}
BOX = {"type": 23, "custom_id": "x"}


def test_a_text_goes_as_it_is(resolver: Resolver) -> None:
    submitted = submit(resolver, TEXT, x="hello")
    assert (submitted["type"], submitted["custom_id"], submitted["value"]) == (4, "x", "hello")


def test_an_optional_text_may_stay_empty(resolver: Resolver) -> None:
    assert submit(resolver, TEXT | {"required": False, "min_length": 5})["value"] == ""


def test_a_menu_takes_one_value_or_a_list(resolver: Resolver) -> None:
    assert submit(resolver, MENU, x="r")["values"] == ["r"]
    assert submit(resolver, MENU, x=["g"])["values"] == ["g"]
    assert submit(resolver, MENU | {"max_values": 2}, x=["g", "r"])["values"] == ["g", "r"]


def test_an_optional_menu_may_stay_empty(resolver: Resolver) -> None:
    assert submit(resolver, MENU | {"required": False})["values"] == []


def test_a_radio_group_takes_one_of_its_options(resolver: Resolver) -> None:
    assert submit(resolver, RADIO, x="g")["value"] == "g"
    assert submit(resolver, RADIO | {"required": False})["value"] is None


def test_a_checkbox_group_takes_any_number(resolver: Resolver) -> None:
    assert submit(resolver, GROUP, x=["r", "g", "b"])["values"] == ["r", "g", "b"]
    assert submit(resolver, GROUP)["values"] == []


def test_a_checkbox_is_what_it_is_or_its_default(resolver: Resolver) -> None:
    assert submit(resolver, BOX, x=True)["value"] is True
    assert submit(resolver, BOX)["value"] is False
    assert submit(resolver, BOX | {"default": True})["value"] is True


@pytest.mark.parametrize(
    ("kind", "given", "values", "resolved"),
    [
        (5, ["bob"], ["4002"], "users"),
        (6, ["mods"], ["3001"], "roles"),
        (7, ["mods", "bob"], ["3001", "4002"], "roles"),
        (8, ["general"], None, "channels"),
    ],
)
def test_entities_may_be_named(
    resolver: Resolver, kind: int, given: list[str], values: list[str] | None, resolved: str
) -> None:
    submitted = submit(resolver, {"type": kind, "custom_id": "x", "max_values": 2}, x=given)
    assert submitted["values"] == (values or list(resolver.resolved["channels"]))
    assert resolved in resolver.resolved


def test_texts_between_the_fields_are_kept(resolver: Resolver) -> None:
    components = [{"type": 10, "content": "read this"}, label(TEXT)]
    modal = validate_modal({"custom_id": "m", "title": "M", "components": components})
    text, field = fill(modal, {"x": "hi"}, resolver)
    assert text == {"type": 10, "id": text["id"]}
    assert field["component"]["value"] == "hi"


@pytest.mark.parametrize(
    ("component", "given", "complaint"),
    [
        (TEXT, {}, "modal field x is required"),
        (TEXT, {"x": ""}, "modal field x is required"),
        (TEXT, {"x": True}, "modal field x is a text, not True"),
        (TEXT | {"max_length": 3}, {"x": "four"}, "x takes 0 to 3 characters, not 4"),
        (MENU, {"x": []}, "modal field x is required"),
        (MENU, {"x": "z"}, "x has no option 'z'; it has: r, g, b"),
        (MENU, {"x": ["r", "g"]}, "x takes 1 to 1 values, not 2"),
        (MENU | {"max_values": 2}, {"x": ["r", "r"]}, "x: a value is chosen twice"),
        (RADIO, {}, "modal field x is required"),
        (RADIO, {"x": "z"}, "x has no option 'z'"),
        (GROUP | {"min_values": 2}, {"x": ["r"]}, "x takes 2 to 3 values, not 1"),
        (TEXT, {"x": "a", "y": "b"}, "the modal has no field y; it has: x"),
        ({"type": 19, "custom_id": "x"}, {"x": "file"}, r"cannot fill in \(19\)"),
        ({"type": 5, "custom_id": "x"}, {"x": "nobody"}, "there is no user nobody"),
    ],
)
def test_what_cannot_be_submitted_is_explained(
    resolver: Resolver, component: dict[str, Any], given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ActRefused, match=complaint):
        submit(resolver, component, **given)


def test_nothing_chosen_is_no_value(resolver: Resolver) -> None:
    assert selected(MENU, [], resolver) == []
