"""Random orders of calls and answers, against models that say what must come out.

A script, the worker and Discord take turns in any order. Each test draws such an order and compares what the
isolate did with a model of a few lines; what is drawn is the same in every run.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from harness import GuildUnderTest, Op
from payloads import command, component, message, sent

from conftest import NewGuild

SEEDS = range(25)

ACT = """
globalThis.results = {};
const act = (ctx) => {
  globalThis.call = (number, method, ...args) => {
    ctx[method](...args).then(
      () => { results[number] = 'ok' },
      (error) => { results[number] = error.code === 'INVALID_INPUT' ? 'refused' : 'failed' },
    );
  };
};
"""
CALLS = {
    "reply": "'text'",
    "edit": "'text'",
    "followup": "'text'",
    "defer": "{}",
    "update": "'text'",
    "deferUpdate": "",
    "showModal": "modal('id', 'title').addComponents(label('l').setComponent(inputText('i')))",
}
EDIT, FOLLOW, SEND, UPDATE = (
    "editOriginalInteractionResponse",
    "createFollowupMessage",
    "sendInteractionResponse",
    "updateInteractionResponse",
)
DEFER, MODAL = "deferInteractionResponse", "openModal"


@dataclass
class Interaction:
    """What Discord expects of one interaction: which call each method makes, or None for a refusal."""

    component: bool
    state: str = "open"

    def expected(self, method: str) -> str | None:
        state = self.state
        if state == "open":
            return self._first(method)
        if method in ("defer", "deferUpdate", "showModal"):
            return None
        if method == "edit":
            return self._edit()
        if method == "update":
            return EDIT if state == "updated" else None
        if state == "deferred":
            self.state = "replied"
            return EDIT if method == "reply" else FOLLOW
        return FOLLOW

    def _first(self, method: str) -> str | None:
        first = {"reply": (SEND, "replied"), "defer": (DEFER, "deferred"), "showModal": (MODAL, "modal")}
        if self.component:
            updated = "updated"
            first |= {"update": (UPDATE, updated), "edit": (UPDATE, updated), "deferUpdate": (DEFER, updated)}
        name, self.state = first.get(method, (None, "open"))
        return name

    def _edit(self) -> str | None:
        if self.state == "modal":
            return None
        if self.state == "deferred":
            self.state = "replied"
        return EDIT


def answer(op: Op) -> object:
    """Discord's answer to ``op``."""
    if op.name in (SEND, UPDATE):
        return {"resource": {"message": sent()}}
    return None if op.name in (DEFER, MODAL) else sent()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("of_component", [False, True], ids=["command", "component"])
def test_any_order_of_answers_to_an_interaction(new_guild: NewGuild, seed: int, of_component: bool) -> None:
    """At most one call is under way; they come in the order in which the script made them."""
    choose = random.Random(seed)
    guild, model = new_guild(), Interaction(of_component)
    guild.load(f"{ACT} on('interactionCreate', act); on('componentInteraction', act)")
    guild.event("INTERACTION_CREATE", component() if of_component else command())
    expected: list[str] = []
    seen: list[str] = []
    results: dict[str, str] = {}
    methods = [name for name in CALLS if of_component or name not in ("update", "deferUpdate")]
    for number in range(12):
        method = choose.choice(methods)
        name = model.expected(method)
        guild.run(f"call({number}, '{method}', {CALLS[method]})")
        results[str(number)] = "ok" if name else "refused"
        if name:
            expected.append(name)
        while guild.out.ops and choose.random() < 0.5:
            seen.append(guild.op.name)
            guild.resolve(value=answer(guild.op))
    while guild.out.ops:
        seen.append(guild.op.name)
        guild.resolve(value=answer(guild.op))
    assert seen == expected
    assert guild.value("results") == results


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_answer_that_fails_may_be_tried_again(new_guild: NewGuild, seed: int) -> None:
    choose = random.Random(seed)
    guild, model = new_guild(), Interaction(component=False)
    guild.load(f"{ACT} on('interactionCreate', act)")
    guild.event("INTERACTION_CREATE", command())
    for number in range(10):
        method = choose.choice(["reply", "defer", "showModal"])
        before = model.state
        name = model.expected(method)
        guild.run(f"call({number}, '{method}', {CALLS[method]})")
        assert [op.name for op in guild.out.ops] == ([name] if name else [])
        if not name:
            continue
        if choose.random() < 0.6:
            guild.reject()
            assert guild.value(f"results[{number}]") == "failed"
            model.state = before if before == "open" else model.state
        else:
            guild.resolve(value=answer(guild.op))


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_in_any_order_reach_their_own_callers(new_guild: NewGuild, seed: int) -> None:
    """Many events under way at once; Discord answers in an order of its own."""
    choose = random.Random(seed)
    guild = new_guild()
    guild.load(
        "globalThis.log = []; on('messageCreate', async (ctx) => {"
        " const { content } = ctx.msg;"
        " try {"
        "   const first = await ctx.reply('1 ' + content);"
        "   const second = await ctx.edit('2 ' + first.content);"
        "   log.push([content, second.content]);"
        " } catch (error) { log.push([content, error.message]) }"
        "})"
    )
    numbers: dict[str, int] = {}
    expected: dict[str, str] = {}
    waiting = [f"m{i}" for i in range(12)]
    while waiting or guild.out.ops:
        if waiting and choose.random() < 0.4:
            content = waiting.pop()
            numbers[content] = guild.event("MESSAGE_CREATE", message(content))
            expected[content] = f"2 1 {content}"
        elif guild.out.ops:
            op = choose.choice(guild.out.ops)
            if choose.random() < 0.2:
                content = op.body["content"].split()[-1]
                expected[content] = f"no {content}"
                guild.reject(op, message=f"no {content}")
            else:
                guild.resolve(op, sent(op.body["content"], id=str(op.id)))
    guild.feed()
    assert dict(guild.value("log")) == expected
    assert guild.out.done == dict.fromkeys(numbers.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_several_answers_and_events_in_one_turn(new_guild: NewGuild, seed: int) -> None:
    """One turn or many: what the script sees is the same."""
    choose = random.Random(seed)
    guild = new_guild()
    guild.load(
        "globalThis.log = []; on('messageCreate', async (ctx) => {"
        " log.push('start ' + ctx.msg.content); await ctx.reply(ctx.msg.content);"
        " log.push('end ' + ctx.msg.content) })"
    )
    expected: list[str] = []
    number = 0
    for _ in range(8):
        answered = [op for op in guild.out.ops if choose.random() < 0.6]
        guild.out.ops = [op for op in guild.out.ops if op not in answered]
        choose.shuffle(answered)
        fresh = [str(number + i + 1) for i in range(choose.randint(0, 3))]
        number += len(fresh)
        guild.feed(
            s=[[op.id, True, sent(op.body["content"])] for op in answered],
            e=[{"i": int(name), "t": "MESSAGE_CREATE", "d": message(name)} for name in fresh],
        )
        expected += [f"start {name}" for name in fresh]
        expected += [f"end {op.body['content']}" for op in answered]
    assert sorted(guild.value("log")) == sorted(expected)
    starts = [line for line in guild.value("log") if line.startswith("start")]
    assert starts == [line for line in expected if line.startswith("start")]
    ends = [line for line in guild.value("log") if line.startswith("end")]
    assert ends == [line for line in expected if line.startswith("end")]


# ---------------------------------------------------------------------------------------------- handlers


@dataclass
class Handlers:
    """The registrations of one event, the plain way."""

    registered: list[tuple[str, bool]] = field(default_factory=list)

    def run(self) -> list[str]:
        ran = [name for name, _ in self.registered]
        self.registered = [entry for entry in self.registered if not entry[1]]
        return ran

    def off(self, name: str) -> None:
        self.registered = [entry for entry in self.registered if entry[0] != name]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_on_once_and_off(new_guild: NewGuild, seed: int) -> None:
    choose = random.Random(seed)
    guild, models = new_guild(), {"messageCreate": Handlers(), "messageDelete": Handlers()}
    guild.load("globalThis.log = []; globalThis.h = {}; for (const n of 'abcd') h[n] = () => { log.push(n) }")
    expected: list[str] = []
    for _ in range(40):
        event = choose.choice(list(models))
        name, how = choose.choice("abcd"), choose.choice(["on", "once", "off", "event", "event"])
        if how == "event":
            kind, data = (
                ("MESSAGE_CREATE", message()) if event == "messageCreate" else ("MESSAGE_DELETE", DELETED)
            )
            guild.event(kind, data)
            expected += models[event].run()
            continue
        guild.run(f"{how}('{event}', h.{name})")
        if how == "off":
            models[event].off(name)
        else:
            models[event].registered.append((name, how == "once"))
        if guild.out.declarations:
            handled = {event for event, model in models.items() if model.registered}
            assert set(guild.declaration["events"]) == handled
    assert guild.value("log") == expected


DELETED = {"id": "1", "channel_id": "2", "guild_id": "3"}


# ------------------------------------------------------------------------------------------------ timers


@dataclass
class Timers:
    """Name -> whether it repeats; a timer that fired once is gone."""

    waiting: dict[str, bool] = field(default_factory=dict)

    def fire(self, name: str) -> None:
        if not self.waiting[name]:
            del self.waiting[name]


def timer_of(guild: GuildUnderTest, name: str) -> int:
    """The host's number of the timer that the script calls ``name``: its delay says it."""
    (found,) = [number for number, delay in guild.out.timers.items() if delay == int(name)]
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_timers(new_guild: NewGuild, seed: int) -> None:
    choose = random.Random(seed)
    guild, model = new_guild(), Timers()
    guild.load("globalThis.log = []; globalThis.ids = {}")
    expected: list[str] = []
    steps: list[Callable[[str], None]] = []

    def start(name: str, repeats: bool) -> None:
        model.waiting[name] = repeats
        how = "setInterval" if repeats else "setTimeout"
        guild.run(f"ids[{name}] = {how}((n) => {{ log.push(n) }}, {name}, '{name}')")

    def clear(name: str) -> None:
        model.waiting.pop(name, None)
        guild.run(f"{choose.choice(['clearTimeout', 'clearInterval'])}(ids[{name}])")

    def fire(name: str) -> None:
        if name in model.waiting:
            guild.fire(timer_of(guild, name))
            model.fire(name)
            expected.append(name)

    steps = [fire, fire, clear]
    for step in range(40):
        name = str(choose.randint(1, 6))
        if name not in model.waiting and choose.random() < 0.7:
            start(name, repeats=step % 2 == 0)
        else:
            choose.choice(steps)(name)
        assert sorted(guild.out.timers.values()) == sorted(int(name) for name in model.waiting)
    assert guild.value("log") == expected


def test_a_timer_that_was_cleared_in_the_same_turn_does_not_run(guild: GuildUnderTest) -> None:
    guild.run(
        "const b = () => console.log('b'); setTimeout(() => clearTimeout(id), 1); const id = setTimeout(b, 1)"
    )
    guild.fire()
    assert guild.lines == []


# -------------------------------------------------------------------------------------- abort and events


@pytest.mark.parametrize("seed", SEEDS)
def test_signals_follow_any_of_theirs(new_guild: NewGuild, seed: int) -> None:
    """A tree of AbortSignal.any: a signal is aborted exactly when one below it is, and fires once."""
    choose = random.Random(seed)
    guild = new_guild()
    guild.run("globalThis.c = Array.from({ length: 5 }, () => new AbortController()); globalThis.fired = {};")
    guild.run("globalThis.s = c.map((one) => one.signal)")
    sources: list[set[int]] = [{i} for i in range(5)]
    for index in range(5, 12):
        parts = choose.sample(range(index), choose.randint(0, 3))
        sources.append(set().union(*(sources[part] for part in parts)))
        guild.run(
            f"s[{index}] = AbortSignal.any({parts}.map((i) => s[i]));"
            f"s[{index}].addEventListener('abort', () => {{ fired[{index}] = (fired[{index}] ?? 0) + 1 }})"
        )
    aborted: set[int] = set()
    for source in choose.sample(range(5), 3):
        guild.run(f"c[{source}].abort({source}); c[{source}].abort('again')")
        aborted.add(source)
        assert guild.value("s.map((one) => one.aborted)") == [bool(below & aborted) for below in sources]
    fired = {str(i): 1 for i in range(5, 12) if sources[i] & aborted}
    assert guild.value("fired") == fired
