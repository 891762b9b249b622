"""``flora dev`` as its user runs it: the command, its output, its exit code, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from flora_simulator import Simulator, SimulatorSettings
from flora_simulator.world_spec import DEV_GUILD, DEV_WORLD
from tests.integration.flora_command import FLORA, Ended

SECONDS = 45
PONG = "on('messageCreate', async (ctx) => { if (ctx.msg.content === '!ping') await ctx.reply('pong'); });\n"


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISCORD_")}
    return {**kept, "NO_COLOR": "1", "FLORA_DEV_API": "0", **extra}  # test_laptop_session has those with one


async def flora(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *FLORA,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env or environment(),
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


class Running:
    """A ``flora dev --json`` that goes on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []

    async def until(self, event: str, **fields: Any) -> dict[str, Any]:
        """Read lines up to the first of this kind."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            while True:
                raw = await self.process.stdout.readline()
                assert raw, f"it ended before {event!r}: {self.seen}"
                line = msgspec.json.decode(raw)
                self.seen.append(line)
                if line["event"] == event and all(line.get(k) == v for k, v in fields.items()):
                    return line

    def family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")


@pytest.fixture
async def start() -> AsyncIterator[Any]:
    started: list[Running] = []

    async def starter(*arguments: str, **extra: str) -> Running:
        process = await asyncio.create_subprocess_exec(
            *FLORA,
            "dev",
            *arguments,
            "--json",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(**extra),
        )
        started.append(Running(process))
        await started[-1].until("ready")
        return started[-1]

    yield starter
    for running in started:
        if running.process.returncode is None:
            running.process.kill()
        await running.process.wait()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text(PONG)
    return folder


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != "zombie" for process in processes)


async def wait_gone(processes: list[psutil.Process]) -> None:
    async with asyncio.timeout(15):
        while not gone(processes):
            await asyncio.sleep(0.05)


# ---------------------------------------------------------------- saying something


async def test_send_prints_the_reply_and_exits_with_0(project: Path) -> None:
    finished = await flora("dev", str(project), "--send", "!ping")
    assert finished.code == 0, finished.err
    assert "🤖 pong" in finished.out


async def test_no_answer_is_exit_code_1(project: Path) -> None:
    finished = await flora("dev", str(project), "--send", "hello", "--timeout", "0.5")
    assert finished.code == 1
    assert "no answer within 0.5 s" in finished.out


async def test_json_is_one_object_a_line_in_the_order_of_the_command_line(project: Path) -> None:
    finished = await flora(
        "dev", str(project), "--json", "--click", "nothing", "--send=!ping", "--timeout", "5"
    )
    answers = [line for line in finished.lines if line["event"] == "answer"]
    assert [answer["said"] for answer in answers] == ["[nothing]", "!ping"]
    assert answers[0]["refused"]
    assert answers[1]["answers"][0]["content"] == "pong"
    assert finished.code == 1


async def test_lines_from_a_pipe_are_said(project: Path) -> None:
    finished = await flora("dev", str(project), stdin="!ping\n:nonsense\n")
    assert finished.code == 0
    assert "🤖 pong" in finished.out
    assert ":nonsense: write a message, or one of" in finished.out


# ---------------------------------------------------------------- what the author sees


async def test_a_script_that_does_not_parse_shows_the_line(project: Path) -> None:
    (project / "src" / "main.ts").write_text("const a = ;\n")
    finished = await flora("dev", str(project), "--send", "x", "--timeout", "1")
    assert finished.code == 1
    assert "src/main.ts:1:11: error" in finished.out
    assert "1 | const a = ;" in finished.out


@pytest.mark.parity(52)
async def test_a_throw_at_load_points_at_the_authors_line(project: Path) -> None:
    (project / "src" / "main.ts").write_text("const x = null as any;\n\nx.y.z;\n")
    finished = await flora("dev", str(project), "--send", "x", "--timeout", "1")
    assert "is not deployed; nothing runs yet" in finished.out
    assert "src/main.ts:3:3" in finished.out
    assert "3 | x.y.z;" in finished.out


async def test_a_type_error_is_shown_and_the_script_runs_all_the_same(project: Path) -> None:
    (project / "src" / "main.ts").write_text('const n: number = "three";\n' + PONG)
    finished = await flora("dev", str(project), "--send", "!ping")
    assert finished.code == 0
    assert "src/main.ts:1:7: error TS2322" in finished.out
    assert "🤖 pong" in finished.out


async def test_a_loop_and_a_rejection_are_told_with_their_outcome(project: Path) -> None:
    (project / "src" / "main.ts").write_text(
        "on('messageCreate', async (ctx) => {\n"
        "  if (ctx.msg.content === 'loop') while (true) {}\n"
        "  await Promise.reject(new Error('no such thing'));\n"
        "});\n"
    )
    finished = await flora("dev", str(project), "--send", "loop", "--send", "x", "--timeout", "3", "--json")
    logs = [line for line in finished.lines if line["event"] == "log"]
    assert any(log.get("outcome") == "exceededCpu" and "200 ms of CPU" in log["text"] for log in logs)
    rejected = next(log for log in logs if "no such thing" in log["text"])
    assert (rejected["outcome"], rejected["stack"]) == ("exception", "at src/main.ts:3:24")


# ---------------------------------------------------------------- jobs and storage

KEEPS = (
    "const marks = kv.store('marks');\n"
    "cron('tick', '0 9 * * *', async ({ name }) => console.log('ran', name, await marks.incr('n')));\n"
    "cron('bad', '0 9 * * *', async () => { throw new Error('no good'); });\n"
    "on('messageCreate', async (ctx) => { await ctx.reply(`n=${await marks.incr('n', 10)}`); });\n"
)


@pytest.fixture
def keeper(project: Path) -> Path:
    (project / "src" / "main.ts").write_text(KEEPS)
    return project


@pytest.mark.parity(23)
async def test_jobs_run_on_demand_in_the_order_of_the_command_line(keeper: Path) -> None:
    says = ["--cron", "tick", "--send", "x", "--kv", "marks", "--cron", "tick", "--kv=marks/n"]
    finished = await flora("dev", str(keeper), *says, "--json")
    assert finished.code == 0, finished.err
    done = [line for line in finished.lines if line["event"] in ("log", "cron", "answer", "kv")]
    assert [line["event"] for line in done] == ["log", "cron", "answer", "kv", "log", "cron", "kv"]
    assert done[0]["text"] == "ran tick 1"
    assert (done[1]["name"], done[1]["outcome"]) == ("tick", "ok")
    assert done[2]["answers"][0]["content"] == "n=11"
    assert [line["keys"] for line in (done[3], done[6])] == [
        [{"name": "n", "value": value}] for value in ("11", "12")
    ]


async def test_a_job_that_throws_shows_its_line_and_is_exit_code_1(keeper: Path) -> None:
    finished = await flora("dev", str(keeper), "--cron", "bad")
    assert finished.code == 1
    assert "Error: no good [exception]" in finished.out
    assert "src/main.ts:3:46" in finished.out
    assert "✗ bad ended badly: exception" in finished.out


async def test_an_unknown_job_names_those_there_are_and_is_exit_code_1(keeper: Path) -> None:
    finished = await flora("dev", str(keeper), "--cron", "tock", "--cron", "tick")
    assert finished.code == 1
    assert "there is no cron job 'tock'; the script has bad, tick" in finished.out
    assert "ran tick 1" in finished.out, "what follows is done all the same"


async def test_storage_is_new_in_each_run_unless_it_is_to_persist(keeper: Path) -> None:
    for value in ("1", "1"):
        finished = await flora("dev", str(keeper), "--cron", "tick", "--kv", "marks", "--json")
        assert finished.lines[-1]["keys"] == [{"name": "n", "value": value}]
    assert not (keeper / ".flora").exists()
    for value in ("1", "2"):
        finished = await flora("dev", str(keeper), "--persist", "--cron", "tick", "--kv", "marks", "--json")
        assert finished.lines[-1]["keys"] == [{"name": "n", "value": value}]
    assert (keeper / ".flora" / "dev").is_dir()


async def test_storage_that_persists_is_one_sessions_at_a_time(keeper: Path, start: Any) -> None:
    running = await start(str(keeper), "--persist")
    second = await flora("dev", str(keeper), "--persist", "--send", "x")
    assert (second.code, second.out) == (2, "")
    assert "another `flora dev` uses it" in second.err
    running.type("x")
    assert (await running.until("answer"))["answers"][0]["content"] == "n=10"


async def test_with_several_guilds_one_must_be_named(tmp_path: Path) -> None:
    folder = tmp_path / "guilds"
    folder.mkdir()
    (folder / "two.yaml").write_text(manifest("1001", "one") + "---\n" + manifest("1002", "two"))
    finished = await flora("dev", "--deployments", str(folder), "--cron", "x")
    assert finished.code == 2
    assert "Name it with --guild; there are 1001, 1002" in finished.err
    finished = await flora("dev", "--deployments", str(folder), "--guild", "1002", "--cron", "x")
    assert finished.code == 1
    assert "there is no cron job 'x'; the script has none" in finished.out


# ---------------------------------------------------------------- living on


async def test_saving_a_file_deploys_it_again(project: Path, start: Any) -> None:
    running = await start(str(project))
    (project / "src" / "main.ts").write_text(PONG.replace("'pong'", "'pang'"))
    await running.until("status", reason="Loaded", revision=2)
    running.type("!ping")
    answer = await running.until("answer")
    assert answer["answers"][0]["content"] == "pang"


async def test_a_save_that_does_not_bundle_leaves_the_old_script(project: Path, start: Any) -> None:
    running = await start(str(project))
    (project / "src" / "main.ts").write_text("const a = ;\n")
    error = await running.until("error")
    assert "src/main.ts:1:11" in error["message"]
    running.type("!ping")
    assert (await running.until("answer"))["answers"][0]["content"] == "pong"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
async def test_a_signal_ends_it_and_leaves_no_process_behind(project: Path, start: Any, name: str) -> None:
    running = await start(str(project))
    family = running.family()
    assert len(family) >= 5, "simulator, gateway, runtime and a worker"
    running.process.send_signal(getattr(signal, name))
    async with asyncio.timeout(15):
        assert await running.process.wait() == 0
    assert gone(family[1:])


async def test_even_kill_9_leaves_no_process_behind(project: Path, start: Any) -> None:
    running = await start(str(project))
    family = running.family()
    running.process.kill()
    await running.process.wait()
    await wait_gone(family[1:])


async def test_a_component_that_dies_ends_it_with_its_last_words(project: Path, start: Any) -> None:
    running = await start(str(project))
    gateway = next(p for p in running.family() if "flora_gateway.main" in " ".join(p.cmdline()))
    gateway.kill()
    async with asyncio.timeout(20):
        assert await running.process.wait() == 1


# ---------------------------------------------------------------- many guilds


def manifest(guild: str, reply: str, **spec: Any) -> str:
    script = f"on('messageCreate', (ctx) => ctx.reply('{reply}'));"
    source = {"entrypoint": "src/main.ts", "files": {"src/main.ts": script}}
    return msgspec.yaml.encode(
        {
            "apiVersion": "flora.uwu.network/v1alpha1",
            "kind": "GuildDeployment",
            "metadata": {"name": f"guild-{guild}"},
            "spec": {"guildId": guild, "source": source, **spec},
        }
    ).decode()


async def test_a_folder_of_documents_is_a_fleet_of_guilds(tmp_path: Path, start: Any) -> None:
    folder = tmp_path / "guilds"
    folder.mkdir()
    (folder / "one.yaml").write_text(manifest("1001", "one") + "---\n" + manifest("1002", "two"))
    (folder / "off.yaml").write_text(manifest("1003", "off", suspend=True))
    (folder / "bad.yaml").write_text("kind: [")
    running = await start("--deployments", str(folder))
    assert any("bad.yaml" in line.get("message", "") for line in running.seen if line["event"] == "error")
    running.type(":guilds")
    rows = {}
    for _ in range(8):
        row = await running.until("guild")
        rows[row["guild"]] = row["reason"]
        if len(rows) >= 4:
            break
    assert rows["1001"] == rows["1002"] == "Loaded"
    assert rows["1003"] == "Suspended"
    (folder / "three.yaml").write_text(manifest("1004", "three"))
    await running.until("status", guild="1004", reason="Loaded")
    (folder / "one.yaml").unlink()
    running.type(":guilds")


# ---------------------------------------------------------------- asked wrongly

WRONG = {
    "no folder": (["dev"], "name a folder with a script"),
    "a folder that is not there": (["dev", "/nowhere"], "there is no folder /nowhere"),
    "two sources": (["dev", ".", "--deployments", "."], "name a folder with a script"),
    "an unknown option": (["dev", ".", "--wat"], "No such option"),
    "a select without a value": (["dev", ".", "--select", "menu"], "write CUSTOM_ID=VALUE"),
    "two places for state": (["dev", ".", "--persist", "--state-dir", "x"], "use it or --state-dir"),
    "a guild that is none": (["dev", ".", "--guild", "me"], "--guild: 'me' is not a Discord id"),
}


@pytest.mark.parametrize(("arguments", "text"), WRONG.values(), ids=WRONG)
async def test_a_wrong_call_is_told_what_to_do_and_exits_with_2(arguments: list[str], text: str) -> None:
    finished = await flora(*arguments)
    assert (finished.code, finished.out) == (2, "")
    assert text in finished.err


async def test_a_folder_without_an_entrypoint_says_what_was_looked_for(tmp_path: Path) -> None:
    finished = await flora("dev", str(tmp_path), "--send", "x")
    assert finished.code == 1
    assert "src/main.ts" in finished.out


async def test_a_real_discord_needs_a_guild(project: Path) -> None:
    finished = await flora("dev", str(project), env=environment(DISCORD_TOKEN="x"))
    assert finished.code == 2
    assert "--guild ID" in finished.err
    finished = await flora(
        "dev", str(project), "--guild", "1", "--send", "x", env=environment(DISCORD_TOKEN="x")
    )
    assert "unset DISCORD_TOKEN" in finished.err


async def test_in_a_real_discord_jobs_can_be_run_and_storage_be_looked_at(keeper: Path) -> None:
    async with Simulator(SimulatorSettings(port=0), world=DEV_WORLD) as simulator:
        finished = await flora(
            "dev",
            str(keeper),
            *("--guild", DEV_GUILD, "--cron", "tick", "--kv", "marks"),
            env=environment(DISCORD_TOKEN=DEV_WORLD.token, DISCORD_API_URL=simulator.api_url),
        )
    assert finished.code == 0, finished.err
    assert "ran tick 1" in finished.out


async def test_reacting_to_nothing_is_told_and_ends_nothing(project: Path) -> None:
    finished = await flora("dev", str(project), stdin=":react 👍\n!ping\n")
    assert finished.code == 0
    assert "pong" in finished.out


async def test_a_token_that_discord_does_not_know_is_told_at_once(project: Path) -> None:
    async with Simulator(SimulatorSettings(port=0)) as simulator:
        finished = await flora(
            "dev",
            str(project),
            "--guild",
            DEV_GUILD,
            env=environment(DISCORD_TOKEN="wrong", DISCORD_API_URL=simulator.api_url),
        )
    assert finished.code == 1
    assert "does not know this token" in finished.out + finished.err
