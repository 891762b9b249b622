"""The console: levels, formats, and how values are shown."""

from __future__ import annotations

import pytest
from harness import GuildUnderTest


@pytest.mark.parity(25)
@pytest.mark.parametrize(
    ("method", "level"),
    [("log", "info"), ("info", "info"), ("debug", "debug"), ("warn", "warn"), ("error", "error")],
)
def test_levels(guild: GuildUnderTest, method: str, level: str) -> None:
    guild.run(f"console.{method}('a', 1)")
    assert guild.out.logs == [(level, "a 1")]


@pytest.mark.parity(25)
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", ""),
        ("'a'", "a"),
        ("'a', 'b c'", "a b c"),
        ("'100%'", "100%"),
        ("'%s is %d', 'x', 5", "x is 5"),
        ("'%s'", "%s"),
        ("'%s %s', 'a'", "a %s"),
        ("'%s', 'a', 'b', { c: 1 }", "a b { c: 1 }"),
        ("'%d %i %f', '4.5', 4.7, '4.5x'", "4.5 4 4.5"),
        ("'%d %i', 5n, 6n", "5n 6n"),
        ("'%d %i %f', {}, {}, Symbol('s')", "NaN NaN NaN"),
        ("'%j', { a: [1] }", '{"a":[1]}'),
        ("'%j', (() => { const o = {}; o.o = o; return o })()", "[Circular]"),
        ("'%o|%O', { a: 1 }, [1]", "{ a: 1 }|[ 1 ]"),
        ("'%% %s%%', 5", "% 5%"),
        ("'%c styled', 'color: red'", " styled"),
        ("'%x %', 1", "%x % 1"),
        ("'%s', { a: { b: 1 } }", "{ a: [Object] }"),
        ("1, '%s', 'a'", "1 %s a"),
        ("undefined, null, true", "undefined null true"),
    ],
)
def test_formats(guild: GuildUnderTest, arguments: str, text: str) -> None:
    guild.run(f"console.log({arguments})")
    assert guild.lines == [text]


@pytest.mark.parity(25)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("-0", "-0"),
        ("NaN", "NaN"),
        ("12n", "12n"),
        ("Symbol('x')", "Symbol(x)"),
        ("['a', \"b's\", 'c\\'\"', 'd\\n\\t\\\\']", "[ 'a', \"b's\", `c'\"`, 'd\\n\\t\\\\' ]"),
        ("{}", "{}"),
        ("[]", "[]"),
        ("{ a: 1, 'b-c': 'x', [Symbol('s')]: 2 }", "{ a: 1, 'b-c': 'x', [Symbol(s)]: 2 }"),
        ("Object.create(null)", "[Object: null prototype] {}"),
        ("new (class Point { x = 1 })()", "Point { x: 1 }"),
        ("new (class List extends Array {})(3)", "List(3) [ <3 empty items> ]"),
        ("[1, , 3, undefined]", "[ 1, <1 empty item>, 3, undefined ]"),
        ("{ a: { b: { c: { d: { e: { f: 1 } } } } } }", "{ a: { b: { c: { d: { e: [Object] } } } } }"),
        ("[[[[[[1]]]]]]", "[ [ [ [ [ [Array] ] ] ] ] ]"),
        ("(() => { const o = { a: 1 }; o.self = o; return o })()", "{ a: 1, self: [Circular] }"),
        ("(() => { const o = {}; return [o, o] })()", "[ {}, {} ]"),
        ("new Map([['a', { b: 1 }], [2, []]])", "Map(2) { 'a' => { b: 1 }, 2 => [] }"),
        ("new Set([1, 'x'])", "Set(2) { 1, 'x' }"),
        ("new Map()", "Map(0) {}"),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new Date(NaN)", "Invalid Date"),
        ("/a\\/b/gi", "/a\\/b/gi"),
        ("function f() {}", "[Function: f]"),
        ("() => {}", "[Function (anonymous)]"),
        ("class A {}", "[class A]"),
        ("Object.assign(() => {}, { extra: 1 })", "[Function (anonymous)] { extra: 1 }"),
        (
            "{ get a() { throw 1 }, set b(v) {}, get c() { return 1 }, set c(v) {} }",
            "{ a: [Getter], b: [Setter], c: [Getter/Setter] }",
        ),
        ("new Uint8Array([1, 2])", "Uint8Array(2) [ 1, 2 ]"),
        ("new ArrayBuffer(3)", "ArrayBuffer { byteLength: 3 }"),
        ("Promise.resolve(1)", "Promise {}"),
        ("new WeakMap()", "WeakMap {}"),
        ("[Object(1), Object('s'), Object(true)]", "[ [Number: 1], [String: 's'], [Boolean: true] ]"),
        (
            "Object.fromEntries(Array.from({ length: 3 }, (_, i) => ['key' + i, 'x'.repeat(30)]))",
            "{\n  key0: '" + "x" * 30 + "',\n  key1: '" + "x" * 30 + "',\n  key2: '" + "x" * 30 + "'\n}",
        ),
    ],
)
def test_values(guild: GuildUnderTest, value: str, text: str) -> None:
    guild.run(f"console.log({value if not value.startswith('{') else f'({value})'})")
    assert guild.lines == [text]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("new Proxy({}, { getPrototypeOf() { throw 1 } })", "[unreadable object]"),
        ("[1, new Proxy({ a: 1 }, { ownKeys() { throw 1 } })]", "[ 1, [unreadable object] ]"),
        ("new Proxy([], { get() { throw 1 } })", "[unreadable object]"),
        ("Object.defineProperty(new Error('x'), 'stack', { get() { throw 1 } })", "[unreadable object]"),
        ("Object.defineProperty(() => 1, 'name', { get() { throw 1 } })", "[unreadable function]"),
        ("Object.create({ get constructor() { throw 1 } })", "[unreadable object]"),
        ("new Proxy({ a: 1 }, {})", "{ a: 1 }"),
        ("'abc'.match(/b/)", "[ 'b', index: 1, input: 'abc', groups: undefined ]"),
    ],
)
def test_a_value_that_throws_when_it_is_looked_at_is_still_logged(
    guild: GuildUnderTest, value: str, text: str
) -> None:
    guild.run(f"console.log({value})")
    assert guild.lines == [text]


def test_errors_are_shown_with_stack_and_cause(guild: GuildUnderTest) -> None:
    guild.run(
        "console.error(new TypeError('outer', { cause: new Error('inner') }), { e: new RangeError('x') })"
    )
    line = guild.lines[0]
    assert line.startswith("TypeError: outer\n    at ")
    assert "\n  [cause]: Error: inner\n    at " in line
    assert "RangeError: x\n" in line


def test_a_list_of_exactly_as_much_as_fits_is_whole(guild: GuildUnderTest) -> None:
    guild.run("console.log(Array(99).fill(0)); console.log(Array(100).fill(0))")
    assert not any("more" in line for line in guild.lines)


def test_long_lists_are_cut(guild: GuildUnderTest) -> None:
    guild.run("console.log(Array(101).fill(0)); console.log(new Set(Array(103).keys()))")
    assert guild.lines[0].endswith("0,\n  ... 1 more item\n]")
    assert guild.lines[1].endswith("99,\n  ... 3 more items\n}")


@pytest.mark.parametrize(
    "value",
    [
        "Array.from({ length: 1e5 }, (_, i) => ({ i, s: 'x'.repeat(50) }))",
        "(() => { let o = {}; for (let i = 0; i < 1e4; i++) o = { o, p: [o, o] }; return o })()",
        "'x'.repeat(1e6)",
        "{ a: 'x'.repeat(1e6) }",
        "new Map(Array.from({ length: 1e5 }, (_, i) => [i, { i }]))",
    ],
)
def test_huge_values_give_one_short_line(guild: GuildUnderTest, value: str) -> None:
    guild.run(f"console.log('v', {value})")
    assert len(guild.lines) == 1
    assert len(guild.lines[0]) <= 4096


def test_trace_has_a_stack(guild: GuildUnderTest) -> None:
    guild.run("function here() { console.trace('at %s', 'once') } here()")
    assert guild.out.logs[0][0] == "debug"
    assert guild.lines[0].startswith("Trace: at once\n    at here ")


def test_dir_goes_as_deep_as_asked(guild: GuildUnderTest) -> None:
    guild.run(
        "const o = { a: { b: { c: 1 } } }; console.dir(o, { depth: 1 }); console.dir(o, { depth:"
        " null }); console.dir(o)"
    )
    assert guild.lines == ["{ a: { b: [Object] } }", "{ a: { b: { c: 1 } } }", "{ a: { b: { c: 1 } } }"]


def test_table_of_objects(guild: GuildUnderTest) -> None:
    guild.run("console.table([{ a: 1, b: 'x' }, { a: 2, c: true }])")
    assert guild.lines[0].split("\n") == [
        "┌─────────┬───┬─────┬──────┐",
        "│ (index) │ a │ b   │ c    │",
        "├─────────┼───┼─────┼──────┤",
        "│ 0       │ 1 │ 'x' │      │",
        "│ 1       │ 2 │     │ true │",
        "└─────────┴───┴─────┴──────┘",
    ]


def test_table_of_values_and_chosen_columns(guild: GuildUnderTest) -> None:
    guild.run("console.table({ x: 1, y: 'z' }); console.table([{ a: 1, b: 2 }], ['b']); console.table(5)")
    assert "│ x       │ 1      │" in guild.lines[0]
    assert "│ (index) │ b │" in guild.lines[1]
    assert guild.lines[2] == "5"


def test_assert_logs_only_failures(guild: GuildUnderTest) -> None:
    guild.run("console.assert(true, 'a'); console.assert(0); console.assert(false, 'x is %d', 5)")
    assert guild.out.logs == [("error", "Assertion failed"), ("error", "Assertion failed: x is 5")]


def test_counts(guild: GuildUnderTest) -> None:
    guild.run("console.count(); console.count(); console.count('a'); console.countReset(); console.count()")
    assert guild.lines == ["default: 1", "default: 2", "a: 1", "default: 1"]


def test_groups_indent(guild: GuildUnderTest) -> None:
    guild.run(
        "console.group('G'); console.log('a\\nb'); console.groupCollapsed(); console.log('c');"
        " console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('d')"
    )
    assert guild.lines == ["G", "  a\n  b", "    c", "d"]


def test_timers(guild: GuildUnderTest) -> None:
    guild.run(
        "console.time(); console.time(); console.timeLog(undefined, 'x', 1); console.timeEnd();"
        " console.timeEnd('y')"
    )
    assert guild.out.logs[0] == ("warn", "Timer 'default' already exists")
    assert guild.lines[1].startswith("default: ")
    assert guild.lines[1].endswith("ms x 1")
    assert guild.lines[2].startswith("default: ")
    assert guild.out.logs[3] == ("warn", "Timer 'y' does not exist")


def test_methods_may_be_taken_out(guild: GuildUnderTest) -> None:
    guild.run("const { log, group, trace } = console; log('a'); group('b'); ['c'].forEach(log)")
    assert guild.lines == ["a", "b", "  c 0 [ 'c' ]"]
