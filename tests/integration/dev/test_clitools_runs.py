"""What `flora test` makes of test files: real bundler, real child process, real V8."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from flora_core.errors import InvalidInput
from flora_core.toolchain import Project
from flora_dev.testing.runner import Result, Wanted, read_project, run_tests
from tests.integration.flora_command import FLORA

ROOT = Path(__file__).parents[3]

BOT = """
let seen = 0;
on("messageCreate", async (ctx) => {
  seen += 1;
  switch (ctx.msg.content) {
    case "!ping": return void (await ctx.reply("pong"));
    case "!who": return void (await ctx.reply(`${ctx.msg.author.username} in ${ctx.msg.channelId}`));
    case "!seen": return void (await ctx.reply(String(seen)));
    case "!late": {
      const begin = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      return void (await ctx.reply(`after ${Date.now() - begin}`));
    }
    case "!unawaited": return void ctx.reply("gone ahead");

    case "!throws": throw new TypeError("no flowers today");
    case "!never": return await new Promise(() => {});
    case "!patient": return void (await new Promise((resolve) => setTimeout(resolve, 40_000)));
    case "!loop": for (;;);
    case "!hoard": { const all: string[][] = []; for (;;) all.push(new Array(1e6).fill("x")); }
    case "!store": return void (await ctx.reply(String(await kv.store("s").incr("n"))));
    case "!log": return console.warn("careful");
    case "!fetch": {
      const response = await fetch("https://api.example.com/v1?q=1", { method: "POST", body: "hello" });
      return void (await ctx.reply(`${response.status} ${await response.text()}`));
    }
    case "!member": return void (await ctx.reply((await rest.fetchMember({ userId: "5" })).nick ?? "none"));
    case "!secret": return void (await ctx.reply(secrets.get("KEY") ?? "none"));
  }
});
on("memberAdd", (ctx) => rest.sendMessage({ channelId: "77", content: `welcome <@${ctx.msg.user.id}>` }).then(() => {}));
createBot({
  slashCommands: [
    slash({
      name: "add",
      description: "Adds",
      options: [
        { name: "a", description: "One", type: "integer", required: true, minValue: 0 },
        { name: "b", description: "Two", type: "integer", choices: [{ name: "ten", value: 10 }] },
      ],
      run: (ctx) => ctx.reply({ content: String(ctx.options.a + (ctx.options.b ?? 0)), ephemeral: true }),
    }),
    slash({
      name: "list",
      description: "Lists",
      subcommands: [{ name: "all", description: "All", run: (ctx) => ctx.reply("everything") }],
    }),
    slash({
      name: "find",
      description: "Finds",
      options: [{ name: "what", description: "What", type: "string", autocomplete: true }],
      autocomplete: (ctx) => [`${ctx.focused.value}1`, `${ctx.focused.value}2`],
      run: (ctx) => ctx.reply("found"),
    }),
    slash({
      name: "form",
      description: "Form",
      run: (ctx) => ctx.showModal(modal().setCustomId("form").setTitle("Form").addComponents(label().setLabel("L").setComponent(inputText().setCustomId("name").setStyle(1)))),
    }),
    slash({
      name: "slow",
      description: "Slow",
      async run(ctx) {
        await new Promise((resolve) => setTimeout(resolve, 5000));
        await ctx.reply("there");
      },
    }),
    slash({ name: "whose", description: "Whose", options: [{ name: "user", description: "Who", type: "user" }], run: (ctx) => ctx.reply(ctx.resolved.users[ctx.options.user ?? ""]?.username ?? "nobody") }),
    slash({ name: "button", description: "Button", run: (ctx) => ctx.reply({ content: "b", components: [actionRow().addComponents(button().setCustomId("go").setLabel("Go").setStyle(1))] }) }),
  ],
});
on("componentInteraction", (ctx) => ctx.update(`${ctx.msg.customId} on ${ctx.msg.message?.content}`));
on("modalSubmit", (ctx) => ctx.reply(`hello ${ctx.fields.name}`));
cron("hourly", "0 * * * *", async () => void (await rest.sendMessage({ channelId: "9", content: `it is ${new Date().toISOString()}` })));
cron("broken", "30 0 1 2 *", () => { throw new Error("the job is broken"); });
"""

PASSING = """
import { beforeEach, describe, expect, test } from "flora-test";
import "./main";

test("a message is answered", async (t) => {
  const answer = await t.bot.say("!ping");
  expect(answer.text).toBe("pong");
  expect(answer.messages).toHaveLength(1);
  expect(answer.calls.map((call) => call.name)).toEqual(["sendMessage"]);
});
test("who says it, and where", async (t) => {
  expect((await t.bot.say("!who", { user: { username: "ada" }, channelId: "42" })).text).toBe("ada in 42");
});
test("time is spent on timers alone", async (t) => {
  expect((await t.bot.say("!late")).text).toBe("after 10000");
});
test("what is not awaited is seen", async (t) => {
  expect((await t.bot.say("!unawaited")).text).toBe("gone ahead");
});
test("storage counts", async (t) => {
  await t.bot.say("!store");
  expect((await t.bot.say("!store")).text).toBe("2");
});
test("storage is empty again", async (t) => {
  expect((await t.bot.say("!store")).text).toBe("1");
});
test("storage forgets in time", async (t) => {
  const store = kv.store("s");
  await store.set("k", "v", { ttl: 60 });
  await t.clock.advance("59s");
  expect(await store.get("k")).toBe("v");
  await t.clock.advance("2s");
  expect(await store.get("k")).toBeNull();
});
test("logs come with the answer", async (t) => {
  expect((await t.bot.say("!log")).logs).toEqual([{ level: "warn", text: "careful" }]);
});
test("another server answers as told", async (t) => {
  await t.fetch.reply("https://api.example.com/*", { status: 201, text: "made" });
  expect((await t.bot.say("!fetch")).text).toBe("201 made");
  expect(await t.fetch.requests()).toMatchObject([{ url: "https://api.example.com/v1?q=1", method: "POST", text: "hello" }]);
});
test("a stub for a number of times", async (t) => {
  await t.fetch.reply("https://api.example.com/*", { text: "second" });
  await t.fetch.reply("https://api.example.com/*", { text: "first", times: 1, method: "POST" });
  expect((await t.bot.say("!fetch")).text).toBe("200 first");
  expect((await t.bot.say("!fetch")).text).toBe("200 second");
});
test("Discord answers as told", async (t) => {
  await t.discord.reply("fetchMember", { user: { id: "5", username: "x" }, roles: [], nick: "Xenia" });
  expect((await t.bot.say("!member")).text).toBe("Xenia");
});
test("Discord refuses as told", async (t) => {
  await t.discord.refuse("sendMessage", { status: 403, message: "Missing Permissions" });
  await expect(t.bot.say("!ping")).rejects.toThrow(/Missing Permissions/);
});
test("storage refuses as told", async (t) => {
  await t.discord.refuse("kvIncr", { code: "KV_QUOTA_EXCEEDED", message: "full" });
  await expect(t.bot.say("!store")).rejects.toThrow("full");
});
test("secrets are as told", async (t) => {
  expect((await t.bot.say("!secret")).text).toBe("none");
  await t.secrets.set("KEY", "abc");
  expect((await t.bot.say("!secret")).text).toBe("abc");
});
test("secrets are gone again", async (t) => {
  expect((await t.bot.say("!secret")).text).toBe("none");
});
test("any event can be sent", async (t) => {
  expect((await t.bot.emit("GUILD_MEMBER_ADD", { user: { id: "31", username: "new" } })).text).toBe("welcome <@31>");
});
describe("interactions", () => {
  test("a command with options", async (t) => {
    const { reply } = await t.bot.slash("add", { a: 2, b: 10 });
    expect(reply).toMatchObject({ kind: "reply", content: "12", ephemeral: true });
  });
  test("a subcommand", async (t) => expect((await t.bot.slash("list all")).text).toBe("everything"));
  test("suggestions", async (t) => {
    const { choices } = await t.bot.autocomplete("find", "what", "ro");
    expect(choices.map((choice) => choice.value)).toEqual(["ro1", "ro2"]);
  });
  test("a form", async (t) => {
    expect((await t.bot.slash("form")).modal.title).toBe("Form");
    expect((await t.bot.submit("form", { name: "Ann" })).text).toBe("hello Ann");
  });
  test("a button on the newest message", async (t) => {
    await t.bot.slash("button");
    const { reply } = await t.bot.click("go");
    expect(reply).toMatchObject({ kind: "update", content: "go on b" });
  });
  test("what takes long is deferred by itself", async (t) => {
    const { calls, messages } = await t.bot.slash("slow");
    expect(calls[0]?.name).toBe("deferInteractionResponse");
    expect(messages.map((message) => message.content)).toEqual(["there"]);
  });
  test("a user as an option", async (t) => {
    expect((await t.bot.slash("whose", { user: { id: "9", username: "nina" } })).text).toBe("nina");
  });
  test("what Discord's client would not send", async (t) => {
    const refused: [string, object, string][] = [
      ["ad", {}, 'there is no slash command "ad"; there are: add, '],
      ["add", {}, "/add wants the option a"],
      ["add", { a: 1.5 }, "should be a whole number"],
      ["add", { a: "1" }, "should be a number"],
      ["add", { a: -1 }, "is less than 0"],
      ["add", { a: 1, b: 11 }, "is none of the choices 10"],
      ["add", { a: 1, c: 1 }, '/add: there is no option "c"'],
      ["list", {}, "/list wants a subcommand: all"],
      ["list none", {}, 'there is no subcommand "none"'],
      ["add more", { a: 1 }, 'has no subcommand "more"'],
    ];
    for (const [command, options, why] of refused) {
      await expect(t.bot.slash(command, options as never)).rejects.toThrow(why);
    }
    await expect(t.bot.click("gone")).rejects.toThrow('has a component "gone"; there are none');
  });
});
describe("jobs", () => {
  test("are listed", async (t) => {
    const jobs = await t.cron.list();
    expect(jobs.map((job) => job.name)).toEqual(["hourly", "broken"]);
    expect(jobs[0]?.next.getTime()).toBeGreaterThan(t.clock.now.getTime());
  });
  test("run when their time comes, and see it", async (t) => {
    const hours = (await t.clock.advance("3h")).messages;
    expect(hours).toHaveLength(3);
    expect(hours[0]?.content).toMatch(/^it is .*:00:00\\.000Z$/);
  });
  test("run when told", async (t) => {
    expect((await t.cron.run("hourly")).text).toMatch(/^it is /);
    await expect(t.cron.run("daily")).rejects.toThrow("there is no job 'daily'; there are: hourly, broken");
  });
  test("that fail are told of", async (t) => {
    await expect(t.cron.run("broken")).rejects.toThrow("the job is broken");
    await t.clock.set("2026-02-01T00:29:00Z");
    await expect(t.clock.advance("2m")).rejects.toThrow("the job is broken");
  });
  test("are passed over when the clock is set", async (t) => {
    await t.clock.set("2026-03-01T00:00:30Z");
    expect((await t.clock.advance("1m")).messages).toHaveLength(0);
    expect(t.clock.now.toISOString()).toBe("2026-03-01T00:01:30.000Z");
    await expect(t.clock.set("2026-01-01T00:00:00Z")).rejects.toThrow("lies before");
  });
});
describe("before each", () => {
  let prepared = 0;
  beforeEach(async (t) => {
    prepared += 1;
    await t.bot.say("!store");
  });
  test("runs before one", async (t) => expect((await t.bot.say("!store")).text).toBe("2"));
  test("and before the next", async () => expect(prepared).toBe(2));
});
test("a date is a date", () => {
  expect(new Date() instanceof Date).toBe(true);
  expect(new Date(0).toISOString()).toBe("1970-01-01T00:00:00.000Z");
  expect(typeof Date()).toBe("string");
  expect(new Date().constructor).toBe(Date);
});
test.skip("not this one", () => { throw new Error("it ran"); });
"""

FAILING = """
import { expect, test } from "flora-test";
import "./main";

test("a difference", async (t) => {
  console.log("before it");
  expect({ a: 1, b: [1, 2], c: "same" }).toEqual({ a: 1, b: [1, 3], c: "same" });
});
test("a handler throws", async (t) => void (await t.bot.say("!throws")));
test("a handler waits for nothing", async (t) => void (await t.bot.say("!never")));
test("a handler waits too long", async (t) => void (await t.bot.say("!patient")));
test("the test waits for nothing", async () => void (await new Promise(() => {})));
test("a loop", async (t) => void (await t.bot.say("!loop")));
test("behind a loop", async (t) => expect((await t.bot.say("!ping")).text).toBe("pong"));
test("a hoard", async (t) => void (await t.bot.say("!hoard")));
test("nobody awaits", async () => { void Promise.reject(new RangeError("unseen")); await null; });
test("nobody answers", async (t) => void (await t.bot.say("!fetch")));
test("Discord does not know", async (t) => void (await t.bot.say("!member")));
test("throws a text", () => { throw "just a text"; });
test("for ever, in time that stands still", async () => { for (;;) await new Promise((r) => setTimeout(r, 1)); });
test("the last one", async (t) => expect((await t.bot.say("!seen")).text).toBe("1"));
"""


def project(**files: str) -> Project:
    texts = {"src/main.ts": BOT, **{f"src/{name}.ts": text for name, text in files.items()}}
    return Project(texts, "src/main.ts")


def ran(project: Project, *files: str, pattern: str = "", seconds: float = 60.0) -> list[Result]:
    async def collect() -> list[Result]:
        return [result async for result in run_tests(project, Wanted(files, pattern, seconds))]

    return asyncio.run(collect())


def named(results: Sequence[Result], name: str) -> Result:
    (found,) = [result for result in results if result.name == name]
    return found


@pytest.fixture(scope="module")
def failing() -> list[Result]:
    return ran(project(**{"main.test": FAILING}), seconds=8.0)


def why(results: Sequence[Result], name: str) -> str:
    result = named(results, name)
    assert result.outcome == "failed", result
    assert result.error is not None
    return result.error.message


# ---------------------------------------------------------------- what passes


@pytest.mark.parity(28)
def test_everything_that_a_test_can_do_works_as_it_says() -> None:
    results = ran(project(**{"main.test": PASSING}))
    assert [(result.name, result.error) for result in results if result.outcome == "failed"] == []
    assert [result.name for result in results if result.outcome == "skipped"] == ["not this one"]
    assert len(results) == PASSING.count('test("') + 1


def test_names_have_those_of_their_groups_before_them() -> None:
    results = ran(project(**{"main.test": PASSING}), pattern="INTERACTIONS › a SUB")
    assert [result.name for result in results] == ["interactions › a subcommand", "not this one"]


# ---------------------------------------------------------------- what fails


def test_a_difference_shows_both_sides_line_and_log(failing: list[Result]) -> None:
    result = named(failing, "a difference")
    assert result.expected is not None
    assert result.actual is not None
    changed = set(result.expected.splitlines()) ^ set(result.actual.splitlines())
    assert {line.strip() for line in changed} == {"2,", "3,"}
    assert result.frame is not None
    assert (result.frame.file, result.frame.line) == ("src/main.test.ts", 7)
    assert result.logs == [("info", "before it")]


def test_an_error_of_the_script_is_at_the_scripts_own_line(failing: list[Result]) -> None:
    assert why(failing, "a handler throws") == "TypeError: no flowers today"
    frame = named(failing, "a handler throws").frame
    assert frame is not None
    assert frame.file == "src/main.ts"
    assert "no flowers today" in frame.source


def test_no_frame_of_the_harness_is_shown(failing: list[Result]) -> None:
    stacks = [result.error.stack for result in failing if result.error is not None]
    assert not any("flora-test" in stack or "flora:" in stack for stack in stacks)


def test_what_never_ends_is_said_at_once(failing: list[Result]) -> None:
    assert "waits for something that never comes" in why(failing, "a handler waits for nothing")
    assert "waits for something that never comes" in why(failing, "the test waits for nothing")
    assert "longer than 30 s" in why(failing, "a handler waits too long")


def test_limits_are_those_of_a_pod_and_end_one_test_alone(failing: list[Result]) -> None:
    assert "exceededCpu" in why(failing, "a loop")
    assert named(failing, "behind a loop").outcome == "passed"
    assert "exceededMemory" in why(failing, "a hoard")


def test_a_rejection_that_nobody_handles_fails_the_test(failing: list[Result]) -> None:
    assert "RangeError: unseen" in why(failing, "nobody awaits")


def test_what_is_asked_and_was_not_told_says_what_to_write(failing: list[Result]) -> None:
    assert "await t.fetch.reply('https://api.example.com/v1?q=1', …)" in why(failing, "nobody answers")
    assert "await t.discord.reply('fetchMember', …)" in why(failing, "Discord does not know")


def test_anything_can_be_thrown(failing: list[Result]) -> None:
    assert why(failing, "throws a text") == "just a text"


def test_a_test_ends_when_its_time_is_over(failing: list[Result]) -> None:
    assert "--timeout" in why(failing, "for ever, in time that stands still")


def test_an_isolate_that_was_lost_is_followed_by_a_fresh_one(failing: list[Result]) -> None:
    assert named(failing, "the last one").outcome == "passed"
    assert failing[-1].name == "the last one"


# ---------------------------------------------------------------- files


def test_files_do_not_know_of_each_other() -> None:
    count = 'import { expect, test } from "flora-test";\nimport "./main";\n'
    count += 'test("one", async (t) => expect((await t.bot.say("!seen")).text).toBe("1"));\n'
    results = ran(project(**{"a.test": count, "b.test": count}))
    assert [(result.file, result.outcome) for result in results] == [
        ("src/a.test.ts", "passed"),
        ("src/b.test.ts", "passed"),
    ]


def test_only_files_that_are_named_run() -> None:
    one = 'import { test } from "flora-test";\ntest("one", () => {});\n'
    results = ran(project(**{"a.test": one, "b.spec": one}), "b.")
    assert [result.file for result in results] == ["src/b.spec.ts"]


def test_where_there_are_only_tests_the_others_are_skipped() -> None:
    code = 'import { test } from "flora-test";\ntest("a", () => {});\ntest.only("b", () => {});\n'
    results = ran(project(**{"a.test": code}))
    assert [(result.name, result.outcome) for result in results] == [("a", "skipped"), ("b", "passed")]


def test_a_file_that_cannot_be_bundled_fails_with_its_place_and_the_next_runs() -> None:
    good = 'import { test } from "flora-test";\ntest("good", () => {});\n'
    bad, good_one = ran(project(**{"a.test": 'import "./nowhere";\n', "b.test": good}))
    assert (bad.name, bad.outcome) == ("", "failed")
    assert bad.diagnostics[0].file == "src/a.test.ts"
    assert good_one.outcome == "passed"


def test_a_file_that_throws_fails_as_a_whole() -> None:
    (result,) = ran(project(**{"a.test": 'throw new Error("not today");\n'}))
    assert (result.name, result.outcome) == ("", "failed")
    assert result.error is not None
    assert result.error.message == "Error: not today"
    assert result.frame is not None
    assert result.frame.line == 1


def test_a_test_without_the_script_is_told_to_import_it() -> None:
    code = 'import { test } from "flora-test";\ntest("a", async (t) => void (await t.bot.say("x")));\n'
    (result,) = ran(project(**{"a.test": code}))
    assert result.error is not None
    assert "import './main'" in result.error.message


def test_a_project_without_tests_is_told_how_to_write_one() -> None:
    with pytest.raises(InvalidInput, match=r"there is no test file; write one, as src/main\.test\.ts"):
        ran(project())


def test_a_script_that_imports_the_harness_cannot_be_deployed(tmp_path: Path) -> None:
    (tmp_path / "main.ts").write_text('import { test } from "flora-test";\ntest("a", () => {});\n')
    ended = flora("bundle", str(tmp_path), "-o", str(tmp_path / "out.js"))
    assert ended.returncode == 2
    assert 'Could not resolve "flora-test"' in ended.stderr


# ---------------------------------------------------------------- the command


def flora(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(
        [*FLORA, *arguments], capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def written(folder: Path, tests: str) -> str:
    (folder / "src").mkdir()
    (folder / "src" / "main.ts").write_text(BOT)
    (folder / "src" / "main.test.ts").write_text(tests)
    return str(folder)


HEAD = 'import { expect, test } from "flora-test";\nimport "./main";\n'


def test_the_command_shows_what_passed_and_failed_with_a_code_frame(tmp_path: Path) -> None:
    tests = HEAD + 'test("good", () => {});\ntest("bad", () => {\n  expect("a").toBe("b");\n});\n'
    ended = flora("test", written(tmp_path, tests))
    assert ended.returncode == 1
    assert "✓ good" in ended.stdout
    assert "✗ bad" in ended.stdout
    assert '-"b"' in ended.stdout
    assert '+"a"' in ended.stdout
    assert '      5 |   expect("a").toBe("b");\n        |               ^\n' in ended.stdout
    assert "1 passed, 1 failed in " in ended.stdout


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    ended = flora("test", written(tmp_path, HEAD + 'test("good", () => {});\n'), "--json")
    first, last = (msgspec.json.decode(line) for line in ended.stdout.splitlines())
    assert (first["event"], first["name"], first["outcome"]) == ("test", "good", "passed")
    assert {name: last[name] for name in ("event", "passed", "failed", "skipped")} == {
        "event": "done",
        "passed": 1,
        "failed": 0,
        "skipped": 0,
    }
    assert ended.returncode == 0


def test_what_is_asked_wrongly_is_exit_code_2(tmp_path: Path) -> None:
    assert flora("test", str(tmp_path / "nowhere")).returncode == 2
    (tmp_path / "main.ts").write_text("")
    ended = flora("test", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no test file" in ended.stderr


def test_the_tests_of_a_new_project_pass(tmp_path: Path) -> None:
    folder = str(tmp_path / "my-bot")
    assert flora("init", folder).returncode == 0
    ended = flora("test", folder, "--timeout", "60")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "2 passed" in ended.stdout


@pytest.mark.parametrize(
    "example", sorted(path.parents[1].name for path in ROOT.glob("examples/*/src/*.test.ts"))
)
def test_the_tests_of_an_example_pass(example: str) -> None:
    ended = flora("test", str(ROOT / "examples" / example), "--json", "--timeout", "60")
    assert ended.returncode == 0, ended.stdout


def test_a_folder_that_has_tests_alone_is_a_project(tmp_path: Path) -> None:
    (tmp_path / "sums.test.ts").write_text('import { test } from "flora-test";\ntest("a", () => {});\n')
    found = read_project(tmp_path, None)
    assert found.entrypoint == "sums.test.ts"
