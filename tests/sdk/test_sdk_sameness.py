"""Hardened built-ins against V8's own, every method of a family with every kind of receiver and argument.

The functions that stand in for built-ins take other ways for large, odd and lying values. Here the ordinary
ones are asked: the results, what the calls changed and which error they threw must be V8's.
"""

from __future__ import annotations

from itertools import product

import pytest
from harness import GuildUnderTest

SHOW = """
const show = (v, depth = 0) => {
  if (typeof v === 'function') return `function ${v.name}`; // `length` is not kept
  if (typeof v === 'bigint') return `${v}n`;
  if (typeof v === 'symbol' || v === undefined || v === null) return String(v);
  if (typeof v === 'number') return Object.is(v, -0) ? '-0' : String(v);
  if (typeof v !== 'object') return [typeof v, v];
  if (depth > 3) return '...';
  if (typeof v.next === 'function' && depth === 0) return ['iterator', ...[...v].map((x) => show(x, 1))];
  return [
    Object.prototype.toString.call(v), v.constructor?.name,
    Reflect.ownKeys(v).map((k) => [String(k), show(v[k], depth + 1)]),
  ];
};
const tried = (work) => {
  try { return show(work()) } catch (error) { return `throws ${error.name}` }
};
"""


def same(page: GuildUnderTest, bare: GuildUnderTest, calls: list[str]) -> None:
    """All ``calls`` are tried in one go in both isolates."""
    program = f"(() => {{ {SHOW} return [{','.join(f'tried(() => {{ {call} }})' for call in calls)}] }})()"
    ours, theirs = page.value(program), bare.value(program)
    different = [row for row in zip(calls, ours, theirs, strict=True) if row[1] != row[2]]
    assert different == []
    assert any(not str(result).startswith("throws") for result in theirs), (
        "every call throws: nothing was tested"
    )


def after(receiver: str, method: str, arguments: str) -> str:
    """Statements that call a method and give its result together with what it left behind."""
    return f"const self = {receiver}; return [self.{method}({arguments}), self]"


# ------------------------------------------------------------------------------------------- typed arrays

NUMBER_ARRAYS = [
    *("Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array"),
    *("Uint32Array", "Float16Array", "Float32Array", "Float64Array"),
]
BIG_ARRAYS = ["BigInt64Array", "BigUint64Array"]
CALLBACK = "(x, i, all) => [all.length, x > 1 || i > 2][1]"
TYPED_CALLS = {
    "at": ["0", "-1", "9", "NaN"],
    "copyWithin": ["0, 2", "1, 0, 2", "-1, 0", "0, 9"],
    "entries": [""],
    "every": [CALLBACK, "", "null"],
    "fill": ["ONE", "ONE, 1", "ONE, -2, -1", "'x'", "Symbol()", "{}"],
    "filter": [CALLBACK, "() => false", ""],
    "find": [CALLBACK, "() => false", "5"],
    "findIndex": [CALLBACK, "() => false"],
    "findLast": [CALLBACK, "() => false"],
    "findLastIndex": [CALLBACK, "() => false"],
    "forEach": [CALLBACK, "undefined"],
    "includes": ["ONE", "ONE, 2", "ONE, -1", "'1'", ""],
    "indexOf": ["ONE", "ONE, 2", "ONE, -9", "undefined", "ONE, { valueOf: () => 1 }"],
    "join": ["", "'-'", "null", "undefined", "{ toString: () => '+' }", "Symbol()"],
    "keys": [""],
    "lastIndexOf": ["ONE", "ONE, 1", "ONE, -1", "ONE, undefined"],
    "map": ["(x) => x + x", "(x) => x", "() => 'no number'", "() => ({})", ""],
    "reduce": ["(a, b) => a + b", "(a, b) => a + b, ONE", "(a, b, i, all) => all.length", ""],
    "reduceRight": ["(a, b) => [a, b]", "(a, b) => a - b, ONE"],
    "reverse": [""],
    "set": ["[ONE]", "[ONE, ONE], 1", "[ONE], 9", "[ONE], -1", "{ length: 1, 0: ONE }", "'1'", "5", "null"],
    "slice": ["", "1", "-2", "1, 2", "9", "2, 1"],
    "some": [CALLBACK, "() => false"],
    "sort": ["", "(a, b) => (a < b ? 1 : -1)", "undefined", "null", "5"],
    "subarray": ["", "1", "-2, -1", "9"],
    "toLocaleString": ["", "'en'"],
    "toReversed": [""],
    "toSorted": ["", "(a, b) => (a < b ? 1 : -1)", "5"],
    "toString": [""],
    "values": [""],
    "with": ["0, ONE", "-1, ONE", "9, ONE", "0, {}"],
}


@pytest.mark.parametrize("kind", [*NUMBER_ARRAYS, *BIG_ARRAYS])
def test_methods_of_typed_arrays(page: GuildUnderTest, bare: GuildUnderTest, kind: str) -> None:
    one, items = ("1n", "[3n, 1n, 2n, 1n]") if kind in BIG_ARRAYS else ("1", "[3, 1, 2, 1]")
    receivers = [f"new {kind}({items})", f"new {kind}()", f"new (class Mine extends {kind} {{}})({items})"]
    same(
        page,
        bare,
        [
            after(receiver, method, arguments.replace("ONE", one))
            for receiver in receivers
            for method, given in TYPED_CALLS.items()
            for arguments in given
        ],
    )


SOURCES = [
    *("", "undefined", "null", "0", "3", "2.5", "'2'", "-1", "NaN", "Symbol()", "5n", "true", "{}", "[]"),
    *(
        "[1, 2]",
        "['7', null, undefined]",
        "{ length: 2, 0: 1 }",
        "{ length: -1 }",
        "'text'",
        "new Set([1, 2])",
    ),
    *(
        "new Map([[1, 2]])",
        "new Uint8Array([1, 2])",
        "new Float64Array([1.5, -1])",
        "new BigInt64Array([1n])",
    ),
    *("new ArrayBuffer(8)", "new ArrayBuffer(8), 4", "new ArrayBuffer(8), 0, 1", "new ArrayBuffer(8), 1"),
    *("new ArrayBuffer(8), 16", "new ArrayBuffer(8), -8", "new ArrayBuffer(3)", "new ArrayBuffer(8), 0, 9"),
    *("function* () { yield 1 }()", "{ [Symbol.iterator]: null, length: 1 }", "{ [Symbol.iterator]: 5 }"),
    *(
        "new DataView(new ArrayBuffer(2))",
        "new Date(3)",
        "(x) => x",
        "new ArrayBuffer(8, { maxByteLength: 16 })",
    ),
]


@pytest.mark.parametrize("kind", [*NUMBER_ARRAYS, *BIG_ARRAYS])
def test_making_typed_arrays(page: GuildUnderTest, bare: GuildUnderTest, kind: str) -> None:
    same(
        page,
        bare,
        [
            *(f"return new {kind}({source})" for source in SOURCES),
            *(f"return new (class Mine extends {kind} {{}})({source})" for source in SOURCES),
            *(f"return Reflect.construct({kind}, [{source}], Array)" for source in SOURCES if source),
            *(f"return {kind}.from({source})" for source in SOURCES),
            *(f"return {kind}.of({source})" for source in SOURCES),
            f"return {kind}(1)",
            f"return {kind}.from([1, 2], (x, i) => x + i)",
            f"return {kind}.from([1], 5)",
            f"return {kind}.from.call(Array, [1])",
            f"return {kind}.prototype.fill.call([], 1)",
            f"return {kind}",
            f"return [{kind}.BYTES_PER_ELEMENT, {kind}.prototype.BYTES_PER_ELEMENT]",
            f"return [{kind}.prototype.constructor, Object.getPrototypeOf({kind}).name]",
        ],
    )


# ------------------------------------------------------------------------------------------------ strings

TEXTS = ["''", "'a'", "'Hello, World'", "'aXbXc'", "'ÄÖß😀'", "' \\t pad \\n'", "'a.b.c'", "'\\ud800x'"]
PATTERNS = [
    "'X'",
    "''",
    "'.'",
    "undefined",
    "null",
    "5",
    "/[aX]/",
    "/[aX]/g",
    "/(?<x>b)/",
    "/o/gi",
    "/$/g",
    "/./u",
]
NUMBERS = ["", "0", "1", "-1", "2.7", "NaN", "'3'", "99"]
TEXT_CALLS = {
    **dict.fromkeys(("match", "search", "includes", "startsWith", "endsWith", "indexOf", "split"), PATTERNS),
    "matchAll": ["'X'", "/[aX]/g", "/[aX]/", "undefined"],
    "replace": [
        f"{pattern}, {by}" for pattern, by in product(PATTERNS, ["'[$&]'", "(m) => m + 1", "undefined"])
    ],
    "replaceAll": [f"{pattern}, {by}" for pattern, by in product(PATTERNS, ["'$$'", "(m, at) => at"])],
    "lastIndexOf": [f"{pattern}, 3" for pattern in PATTERNS[:6]],
    **dict.fromkeys(("at", "charAt", "charCodeAt", "codePointAt", "slice", "substring", "substr"), NUMBERS),
    "repeat": ["", "0", "2", "-1", "Infinity", "2.7", "'3'"],
    "padStart": ["5", "9, '-'", "9, 'ab'", "9, ''", "-1", "'9', 1", "undefined"],
    "padEnd": ["5", "9, '-'", "9, 'ab'", "9, ''"],
    "concat": ["", "'x', 1, null", "{ toString: () => 'obj' }", "Symbol()"],
    "normalize": ["", "'NFD'", "'NFKC'", "'x'", "undefined"],
    "localeCompare": [
        "'a'",
        "'Ä', 'sv'",
        "undefined",
        "'a', 'bad_locale'",
        "'A', 'en', { sensitivity: 'base' }",
    ],
    "toLocaleLowerCase": ["", "'tr'", "['lt']", "'bad_locale'"],
    "toLocaleUpperCase": ["", "'tr'"],
    **{
        name: [""]
        for name in ("toLowerCase", "toUpperCase", "trim", "trimStart", "trimEnd", "toString", "big")
    },
    "isWellFormed": [""],
    "toWellFormed": [""],
    "anchor": ["'\"'", ""],
}


@pytest.mark.parametrize("method", TEXT_CALLS)
def test_methods_of_strings(page: GuildUnderTest, bare: GuildUnderTest, method: str) -> None:
    same(
        page,
        bare,
        [f"return {text}.{method}({given})" for text, given in product(TEXTS, TEXT_CALLS[method])],
    )


@pytest.mark.parametrize("method", TEXT_CALLS)
def test_methods_of_strings_on_other_things(page: GuildUnderTest, bare: GuildUnderTest, method: str) -> None:
    odd = ["undefined", "null", "12", "true", "{ toString: () => 'aXb' }", "['a', 'X']", "Symbol()"]
    own = f"String.prototype.{method}"
    calls = [f"return {own}.call({receiver}, 'X', 'y')" for receiver in odd]
    same(page, bare, [*calls, f"return {own}", f"return new {own}()"])


EXPRESSIONS = ["/b/", "/b/g", "/b/y", "/(?<n>b)(c)?/g", "/(?:)/g", "/B/gi", "/./gu", "/^b/m", "/b/dg"]
OWN_SYMBOLS = ["match", "matchAll", "replace", "search", "split"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_regular_expressions(page: GuildUnderTest, bare: GuildUnderTest, expression: str) -> None:
    texts = ["'abcb'", "''", "'b'", "'nothing'", "undefined", "5", "'a\\nb😀'"]
    after_match = "const r = EXPRESSION; r.lastIndex = 1; return [r.METHOD, r.lastIndex]"
    methods = [
        *(f"exec({text})" for text in texts),
        *(f"test({text})" for text in texts),
        *(f"[Symbol.{symbol}]({text}, '<$1$<n>>')" for symbol, text in product(OWN_SYMBOLS, texts)),
    ]
    calls = [
        after_match.replace("EXPRESSION", expression).replace("METHOD", method).replace(".[", "[")
        for method in methods
    ]
    same(page, bare, calls)


# ------------------------------------------------------------------------------------------------ the rest

LOCALES = ["", "'en'", "'de'", "['tr', 'en']", "undefined", "'bad_locale'", "null", "5"]
INTL = {
    "Collator": ["compare('a', 'B')", "resolvedOptions().locale"],
    "DateTimeFormat": ["format(0)", "formatToParts(0).length", "formatRange(0, 1)", "format(NaN)"],
    "DisplayNames": ["of('US')"],
    "ListFormat": ["format(['a', 'b'])", "format(5)"],
    "NumberFormat": ["format(1234.5)", "format(5n)", "formatToParts(1)", "resolvedOptions().locale"],
    "PluralRules": ["select(1)", "select('x')"],
    "RelativeTimeFormat": ["format(-1, 'day')", "format(1, 'x')"],
    "Segmenter": ["resolvedOptions().granularity", "segment('a b').containing(1)"],
}


@pytest.mark.parametrize("name", INTL)
def test_intl(page: GuildUnderTest, bare: GuildUnderTest, name: str) -> None:
    options = "{ type: 'region', timeZone: 'UTC', numeric: 'auto' }"
    made = [
        f"{new}Intl.{name}({locale or 'undefined'}, {options})"
        for new, locale in product(["new ", ""], LOCALES)
    ]
    same(
        page,
        bare,
        [
            *(f"const f = {maker}; return f.{use}" for maker, use in product(made, INTL[name])),
            *(f"return Intl.{name}.supportedLocalesOf({locale})" for locale in LOCALES),
            f"return Intl.{name}",
            f"const f = new Intl.{name}('en', {options}); return [f instanceof Intl.{name}, f.constructor]",
            f"class Mine extends Intl.{name} {{ x = 1 }} return new Mine('en', {options}).x",
            f"return Object.prototype.toString.call(new Intl.{name}('en', {options}))",
            f"return Reflect.ownKeys(Intl.{name}.prototype).map(String)",
        ],
    )


@pytest.mark.parametrize(
    ("receiver", "options"),
    [
        (receiver, options)
        for receiver in ("1234.5", "12n", "new Date(0)", "[1234.5, new Date(0), 'x']")
        for options in (
            "",
            "'de', { timeZone: 'UTC' }",
            "['tr'], { timeZone: 'UTC' }",
            "'bad_locale'",
            "'en', 5",
        )
    ],
)
def test_to_locale_string(page: GuildUnderTest, bare: GuildUnderTest, receiver: str, options: str) -> None:
    same(page, bare, ["return 1", f"return ({receiver}).toLocaleString({options})"])


@pytest.mark.parametrize("method", ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"])
def test_dates_in_words(page: GuildUnderTest, bare: GuildUnderTest, method: str) -> None:
    options = [
        "'en', { timeZone: 'UTC' }",
        "'de', { timeZone: 'UTC', dateStyle: 'full' }",
        "'en', { timeZone: 'X' }",
    ]
    same(page, bare, [f"return new Date(0).{method}({given})" for given in options])


BUFFERS = [
    "new ArrayBuffer(8)",
    "new ArrayBuffer(4, { maxByteLength: 16 })",
    "new (class Mine extends ArrayBuffer {})(2)",
]
BUFFER_CALLS = [
    *("slice()", "slice(1, 3)", "slice(-1)", "transfer()", "transfer(2)", "transfer(12)", "transfer('4')"),
    *(
        "transferToFixedLength()",
        "transferToFixedLength(3)",
        "resize(16)",
        "resize(2)",
        "resize(17)",
        "resize(-1)",
    ),
    *("byteLength", "maxByteLength", "resizable", "detached", "constructor"),
]


def test_array_buffers(page: GuildUnderTest, bare: GuildUnderTest) -> None:
    sizes = ["", "0", "3", "'3'", "2.5", "-1", "NaN", "Symbol()", "undefined", "{ valueOf: () => 2 }", "2, 5"]
    limited = [f"{size or 'undefined'}, {{ maxByteLength: 4 }}" for size in sizes[:-1]]
    uses = "const b = BUFFER; const r = b.CALL; return [r, b.detached, b.byteLength, b.maxByteLength]"
    same(
        page,
        bare,
        [
            *(f"return new ArrayBuffer({size})" for size in [*sizes, *limited]),
            *(
                uses.replace("BUFFER", buffer).replace("CALL", call)
                for buffer, call in product(BUFFERS, BUFFER_CALLS)
            ),
            "return ArrayBuffer(1)",
            "return [ArrayBuffer.isView(1), ArrayBuffer[Symbol.species] === ArrayBuffer]",
            "return Reflect.construct(ArrayBuffer, [1], Object)",
            "const b = new ArrayBuffer(1); b.transfer(); return b.slice()",
            "const a = new Uint8Array(4); a.buffer.transfer(); return [a.length, a.byteLength, a[0]]",
            "const b = new ArrayBuffer(2, { maxByteLength: 4 }); b.resize(4); return new Int8Array(b).length",
        ],
    )


JSON_CALLS = [
    *(
        f"JSON.parse({text})"
        for text in ("'{\"a\":[1,{}]}'", "'[1,]'", "''", "'1 2'", "5", "null", "'\"\\\\u0041\"'")
    ),
    *(
        f"JSON.parse('[1,{{\"a\":2}}]', {reviver})"
        for reviver in ("(k, v) => v", "() => {}", "5", "function () { return this }")
    ),
    *(
        f"JSON.stringify({value}, {by})"
        for value, by in product(
            [
                "{ a: 1, b: [2, { c: undefined }] }",
                "'\\ud800'",
                "new Date(0)",
                "[() => 1, Symbol(), NaN]",
                "1n",
            ],
            ["null", "['a']", "(k, v) => v", "null, 2", "null, '--'", "['b', 'c'], 1", "5"],
        )
    ),
    "JSON.stringify((() => { const o = {}; o.o = o; return o })())",
    "JSON.stringify({ toJSON: (key) => [key] })",
    "JSON.rawJSON('1')",
    "JSON.parse",
    "JSON.stringify",
]
CODE_CALLS = [
    *("eval('1 + 1')", "eval('let x = 5; x')", "eval('(')", "eval({})", "eval()", "(0, eval)('typeof this')"),
    *(
        "Function('a', 'b = 2', 'return a + b')(1)",
        "Function()",
        "Function('(')",
        "new Function('...a', 'return a')(1, 2)",
    ),
    *(
        "Function('return new.target')()",
        "(class F extends Function {}, 1)",
        "Function.prototype.constructor.name",
    ),
    *(
        "Object.getPrototypeOf(async () => {}).constructor('return 1') instanceof Function",
        "(() => 1) instanceof Function",
    ),
    *(
        "Object.getPrototypeOf(function* () {}).constructor('yield 1; yield 2')()",
        "(() => 1).constructor === Function",
    ),
    *(
        "Function.prototype.toString.call(Math.max)",
        "(function f(a, b) {}).length",
        "Function.prototype.bind.call((a, b) => [a, b], null, 1)(2)",
    ),
    *(
        "Reflect.apply(Math.max, null, [1, 2])",
        "Reflect.apply(5, null, [])",
        "Reflect.apply(Math.max, null)",
        "Math.max.apply(null, [1, , 3])",
    ),
    *(
        "Math.max.apply(null, { length: '2', 0: 5, 1: 6 })",
        "Math.max.call(null, 1, 2)",
        "(function () { return this }).apply(5)",
    ),
    *(
        "Reflect.construct(Array, [1, 2])",
        "Reflect.construct(class A {}, [], class B {})",
        "Reflect.construct(() => 1, [])",
    ),
    *(
        "encodeURIComponent('ä&b')",
        "encodeURIComponent('\\ud800')",
        "decodeURIComponent('%e4')",
        "decodeURI('%2f%c3%a4')",
        "encodeURI('ä?b')",
    ),
    *(
        "escape('ä€')",
        "unescape('%u20ac%e4')",
        "isNaN('x')",
        "parseInt('12px')",
        "Number('0x1f')",
        "BigInt('12')",
        "BigInt('x')",
    ),
]


@pytest.mark.parametrize("calls", [JSON_CALLS, CODE_CALLS], ids=["json", "code"])
def test_json_and_code(page: GuildUnderTest, bare: GuildUnderTest, calls: list[str]) -> None:
    same(page, bare, [f"return {call}" for call in calls])


PROXIED = {
    "get": "p.x",
    "set": "p.x = 1",
    "has": "'x' in p",
    "deleteProperty": "delete p.x",
    "ownKeys": "Reflect.ownKeys(p)",
    "getOwnPropertyDescriptor": "Object.getOwnPropertyDescriptor(p, 'x')",
    "defineProperty": "Object.defineProperty(p, 'x', { value: 1 })",
    "getPrototypeOf": "Object.getPrototypeOf(p)",
    "setPrototypeOf": "Object.setPrototypeOf(p, null)",
    "isExtensible": "Object.isExtensible(p)",
    "preventExtensions": "Object.preventExtensions(p)",
    "apply": "p(1, 2)",
    "construct": "new p(1, 2)",
}


@pytest.mark.parametrize("trap", PROXIED)
def test_proxies(page: GuildUnderTest, bare: GuildUnderTest, trap: str) -> None:
    make = "const seen = []; const p = MAKE(function () {}, HANDLER)"
    handlers = [
        f"{{ {trap}(...args) {{ seen.push(args.length, typeof args[0]); return Reflect.{trap}(...args) }} }}",
        f"{{ {trap}() {{ throw new RangeError('trap') }} }}",
        f"{{ {trap}: 5 }}",
        f"{{ {trap}: undefined }}",
        "{}",
    ]
    same(
        page,
        bare,
        [
            f"{make.replace('MAKE', maker).replace('HANDLER', handler)}{pick}; return [{PROXIED[trap]}, seen]"
            for handler in handlers
            for maker, pick in [("new Proxy", ""), ("Proxy.revocable", ".proxy")]
        ],
    )


COLLECTED = [
    "Object.keys",
    "Object.values",
    "Object.entries",
    "Object.getOwnPropertyNames",
    "Reflect.ownKeys",
]


@pytest.mark.parametrize("function", [*COLLECTED, "Object.fromEntries", "Object.groupBy", "Object.assign"])
def test_functions_of_object(page: GuildUnderTest, bare: GuildUnderTest, function: str) -> None:
    given = [
        "{ b: 1, a: 2, 1: 3 }",
        "[1, , 3]",
        "'str'",
        "new Uint8Array(2)",
        "null",
        "5",
        "new Map([['k', 1]])",
    ]
    extra = {"Object.groupBy": ", (x) => typeof x", "Object.assign": ", { z: 1 }, null"}.get(function, "")
    same(page, bare, ["return 1", *(f"return {function}({value}{extra})" for value in given)])
