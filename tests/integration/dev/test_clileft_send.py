"""``flora send``: speaking to the bot of a ``flora dev`` that runs in another terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flora_core.running import Running, register
from tests.integration.dev.test_tools import Dev, Flora, ask, dev, flora  # noqa: F401  fixtures
from tests.integration.flora_command import Ended

SCRIPT = """
createBot({
  prefix: "!",
  prefixCommands: [prefix({ name: "ping", description: "p", run: (ctx) => ctx.reply("pong " + ctx.args.join(" ")) })],
  slashCommands: [slash({
    name: "menu",
    description: "m",
    run: (ctx) => ctx.reply({
      content: "choose",
      components: [actionRow().addComponents(button().setCustomId("go").setLabel("Go").setStyle(ButtonStyle.Primary))],
    }),
  })],
});
on("componentInteraction", (ctx) => ctx.update({ content: "gone", components: [] }));
on("reactionAdd", (ctx) => rest.sendMessage({ channelId: ctx.msg.channelId, content: `saw ${ctx.msg.emoji.name}` }));
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bot")
    (folder / "src").mkdir()
    (folder / "src" / "main.ts").write_text(SCRIPT)
    return folder


def say(ask: Flora, line: str, *more: str) -> Ended:  # noqa: F811
    """However slow the machine is."""
    return ask("send", line, "--timeout", "50", *more)


def test_a_message_is_answered(ask: Flora) -> None:  # noqa: F811
    ended = say(ask, "!ping a b")
    assert (ended.code, ended.err) == (0, "")
    assert "pong a b" in ended.out


def test_json_is_what_dev_itself_prints(ask: Flora) -> None:  # noqa: F811
    told = say(ask, "!ping", "--json").json
    assert (told["event"], told["said"], told["refused"]) == ("answer", "!ping", None)
    assert told["answers"][0]["message"]["content"] == "pong "


def test_commands_buttons_and_reactions_go_on_from_what_was_said_before(ask: Flora) -> None:  # noqa: F811
    assert "choose" in say(ask, "/menu").out
    assert "gone" in say(ask, ":click go").out
    assert say(ask, "!ping").code == 0
    assert "saw 🌸" in say(ask, ":react 🌸").out


def test_who_runs_dev_sees_it_too(dev: Dev, ask: Flora) -> None:  # noqa: F811
    assert say(ask, "!ping seen").code == 0
    while (told := dev.until("answer"))["said"] != "!ping seen":
        pass
    assert told["answers"]


def test_what_is_not_answered_is_exit_code_1(ask: Flora) -> None:  # noqa: F811
    ended = ask("send", "nobody listens", "--timeout", "0.3")
    assert ended.code == 1
    assert "nobody listens: no answer within 0.3 s" in ended.out


def test_what_discord_refuses_is_exit_code_1(ask: Flora) -> None:  # noqa: F811
    ended = say(ask, "/no-such-command")
    assert ended.code == 1
    assert "✗ " in ended.out
    assert say(ask, "!ping", "--channel", "no-such-channel").code == 1


@pytest.mark.parametrize(
    ("line", "says"), [("", "there is nothing to send"), ("  ", "nothing to send"), (":wat x", ":wat: write")]
)
def test_what_cannot_be_said_is_exit_code_2(ask: Flora, line: str, says: str) -> None:  # noqa: F811
    ended = ask("send", line)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_without_a_dev_it_says_how_to_start_one(flora: Flora) -> None:  # noqa: F811
    ended = flora("send", "!ping")
    assert (ended.code, ended.out) == (1, "")
    assert "flora dev my-bot" in ended.err


def test_a_dev_that_does_not_answer_is_exit_code_5(
    flora: Flora,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "home"))
    register(Running(os.getpid(), str(tmp_path), control="http://127.0.0.1:1", control_token="token"))
    ended = flora("send", "!ping")
    assert (ended.code, ended.out) == (5, "")
    assert "is it still running?" in ended.err
