"""Discord's error answers: a status, and JSON with ``code``, ``message`` and perhaps ``errors``.

SimCord knows the codes; its texts for malformed bodies are one line where Discord nests them by field, so
``body_of`` turns "embeds[0].title: Must be …" into the tree that client libraries print.
"""

from __future__ import annotations

import re
from typing import Any, Final

from flora_simulator.simcord_port import BackendError

Json = dict[str, Any]

NOT_FOUND: Final = (404, {"code": 0, "message": "404: Not Found"})
UNAUTHORIZED: Final = (401, {"code": 0, "message": "401: Unauthorized"})
INVALID_JSON: Final = (400, {"code": 50109, "message": "The request body contains invalid JSON."})
TOO_LARGE: Final = (413, {"code": 40005, "message": "Request entity too large"})
SERVER_ERROR: Final = (500, {"code": 0, "message": "500: Internal Server Error"})

_FORM: Final = 50035
_PREFIX: Final = "Invalid Form Body: "
_PATH: Final = re.compile(r"([A-Za-z_]+(?:[.\[\]\w]*))(?:: | )(.+)", re.DOTALL)
_REWRITTEN: Final = {
    "components.: content must be a string of 2000 or fewer characters": (
        "content",
        "BASE_TYPE_MAX_LENGTH",
        "Must be 2000 or fewer in length.",
    ),
}
_TEXTS: Final = {10062: "Unknown interaction", 40060: "Interaction has already been acknowledged."}
"""Where SimCord's words are not Discord's."""


SLIPS: Final = (KeyError, ValueError, TypeError, AttributeError)
"""What SimCord's handlers let slip when a body is not what they expect."""


def body_of(error: BackendError) -> tuple[int, Json]:
    """Discord's answer for ``error``."""
    if error.code != _FORM:
        return error.status, {"message": _TEXTS.get(error.code, error.message), "code": error.code}
    if error.errors is None:
        error = _by_field(error.message.removeprefix(_PREFIX))
    body: Json = {"message": error.message, "code": error.code}
    return error.status, body if error.errors is None else body | {"errors": error.errors}


def _by_field(detail: str) -> BackendError:
    """SimCord's line about a body, as Discord puts it."""
    if detail.endswith("Cannot send an empty message"):
        return BackendError(400, 50006, "Cannot send an empty message")
    if detail in _REWRITTEN:
        return form_error(*_REWRITTEN[detail])
    match = _PATH.fullmatch(detail)
    if match is None or not re.search(r"[.\[_:]", detail[: len(match[1]) + 1]):
        return form_error("_", "BASE_TYPE_BAD_VALUE", detail)
    return form_error(match[1].strip("."), "BASE_TYPE_BAD_VALUE", match[2])


def form_error(path: str, code: str, message: str) -> BackendError:
    """A 400 that blames the field at ``path``, as in ``embeds[0].title``; list positions become keys."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for key in reversed([part for part in re.split(r"[.\[\]]+", path) if part]):
        errors = {key: errors}
    return BackendError(400, _FORM, "Invalid Form Body", errors=errors)


def slipped(error: Exception) -> BackendError:
    """The error for one of ``SLIPS``: a field is missing, or is not what it should be."""
    match error:
        case KeyError():
            return form_error(str(error.args[0]), "BASE_TYPE_REQUIRED", "This field is required")
        case ValueError() if "int()" in str(error):
            value = str(error).rpartition(": ")[2].strip("'")
            return form_error("_", "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        case _:
            return form_error("_", "BASE_TYPE_BAD_VALUE", str(error))
