"""Makes docs/cli.md from the commands themselves.

python -m tools.cli_page           write the page
python -m tools.cli_page --check   say whether it is as it should be (exit code 1 when not)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from typer.core import TyperArgument, TyperGroup

from flora_cli.commands import COMMANDS
from flora_cli.lazy import load

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "cli.md"

HEAD: Final = """\
# The command line

Made by `python -m tools.cli_page` from the commands; do not edit.

`flora --help` lists the commands and `flora COMMAND --help` explains one. `flora --version` says which flora
this is. Where a command has data to show, `--json` prints it for programs; progress and remarks go to
standard error, and nothing is asked where there is no terminal.

| exit code | |
|---|---|
| 0 | it worked |
| 1 | it did not: a script with errors, a test that failed, a deploy that did not become ready |
| 2 | it was asked for wrongly; the message says what to write instead |
| 3 | nobody is logged in, or you may not |
| 4 | what was named is not there |
| 5 | the other side cannot be reached; trying again may help |
| 130 | Ctrl-C; `flora logs -f` and `flora top` end so, with 0 |

`NO_COLOR=1` leaves colours out. A table that is wider than the terminal is shown row by row.

## Completion

For bash, zsh, fish and PowerShell: `flora --install-completion` adds it to your shell's own file, and
`flora --show-completion` prints what it would add. TAB completes commands and options; guilds and
environments of `flora.toml`; and, by asking the API or the `flora dev` that runs, stores
(`flora kv get --store`) and jobs (`flora cron run`). For a package, or a shell other than the one you are
in, `flora` alone prints it with `_FLORA_COMPLETE=source_zsh` in its environment (or `source_bash`,
`source_fish`).
"""

_EXAMPLE: Final = re.compile(r"^Examples?: (.*)$", re.MULTILINE | re.DOTALL)


def page() -> str:
    """The page as it should be now."""
    parts = [HEAD]
    for panel, rows in groupby(COMMANDS, key=lambda row: row.panel):
        parts.append(f"## {panel}\n")
        for row in rows:
            parts += _sections(load(row), f"flora {row.name}")
    return "\n".join(parts)


def _sections(command: Any, name: str) -> Iterator[str]:
    """A command, and those that it has."""
    if isinstance(command, TyperGroup):
        yield f"### {name}\n"
        yield _cell(command.help or "") + "\n"
        for inner, one in command.commands.items():
            if not one.hidden:
                yield from _sections(one, f"{name} {inner}")
        return
    arguments = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
    options = [
        parameter for parameter in command.params if parameter not in arguments and not parameter.hidden
    ]
    yield f"### {' '.join([name, *map(_usage, arguments)])}\n"
    yield _text(command.help or "")
    rows = [*(_argument(one) for one in arguments if one.help), *(_option(one) for one in options)]
    if rows:
        yield "\n".join(["| | default | |", "|---|---|---|", *rows]) + "\n"


def _text(help_text: str) -> str:
    """What the command's docstring says, its examples as a block."""
    example = _EXAMPLE.search(help_text)
    prose = help_text[: example.start()] if example else help_text
    paragraphs = [re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n|\f", prose)]
    text = "\n\n".join(part.replace("<", "&lt;") for part in paragraphs if part) + "\n"
    if example:
        lines = "\n".join(line.strip() for line in example[1].strip().splitlines())
        text += f"\n```sh\n{lines}\n```\n"
    return text


def _usage(argument: Any) -> str:
    word = _word(argument)
    return word if argument.required else f"[{word}]"


def _argument(argument: Any) -> str:
    return f"| `{_word(argument)}` | {_default(argument)} | {_cell(argument.help)} |"


def _option(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len))
    value = "" if option.is_flag else f" `{_cell(_word(option))}`"
    again = " Repeatable." if option.multiple and "repeatable" not in (option.help or "") else ""
    required = " Required." if option.required else ""
    return f"| {names}{value} | {_default(option)} | {_cell((option.help or '') + again + required)} |"


def _word(parameter: Any) -> str:
    choices = get_args(parameter.type_descriptor.annotation) if _is_choice(parameter) else ()
    word = parameter.metavar or "|".join(choices) or (parameter.name or "").upper().replace("_", "-")
    return f"{word} …" if parameter.nargs == -1 else word


def _is_choice(parameter: Any) -> bool:
    return get_origin(getattr(parameter.type_descriptor, "annotation", None)) is Literal


def _default(parameter: Any) -> str:
    value = parameter.default
    if value is None or value is False or value in ("", ()) or callable(value):
        return ""
    return "this folder" if value == Path() else f"`{value}`"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|").replace("<", "&lt;")


def main(arguments: Sequence[str]) -> int:
    """Write or check; the exit code."""
    wanted = page()
    if "--check" in arguments:
        fresh = PAGE.exists() and PAGE.read_text() == wanted
        print("as it should be" if fresh else "stale: run python -m tools.cli_page")
        return 0 if fresh else 1
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
