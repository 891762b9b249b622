"""Built-ins that V8 cannot interrupt or does not account for, made fit for other people's code.

Two questions: does every attack end in time, and do the built-ins otherwise do what they always did? The
second is asked of an isolate without the prelude.
"""

from __future__ import annotations

from typing import Any

import pytest
from harness import GuildUnderTest

from conftest import NewGuild

SPARSE = "const b = []; b.length = 2 ** 32 - 2;"
ENDLESS = "{ length: 2 ** 53 - 1 }"
LYING = (
    "new Proxy([], { get(t, k) { return k === 'length' ? (globalThis.n = (globalThis.n ?? 0) + 1) < 3"
    " ? 1 : 2 ** 32 - 2 : t[k] } })"
)
GROWING = "{ get length() { return (globalThis.n = (globalThis.n ?? 0) + 1) < 3 ? 1 : 2 ** 53 - 1 } }"
HUGE = "let s = 'abcdefgh'; for (let i = 0; i < 24; i++) s += s;"

ARRAY_METHODS = [
    "concat",
    "copyWithin",
    "every",
    "fill",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "forEach",
    "includes",
    "indexOf",
    "join",
    "lastIndexOf",
    "map",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
    "some",
    "sort",
    "splice",
    "toLocaleString",
    "toReversed",
    "toSorted",
    "toSpliced",
    "toString",
    "unshift",
    "with",
]


@pytest.mark.parametrize("method", ARRAY_METHODS)
@pytest.mark.parametrize(
    "receiver", [ENDLESS, "b", LYING, GROWING], ids=["endless", "sparse", "lying", "growing"]
)
def test_array_methods_end(new_guild: NewGuild, method: str, receiver: str) -> None:
    new_guild().attack(f"{SPARSE} Array.prototype.{method}.call({receiver}, () => 0, 0)")


@pytest.mark.parametrize(
    "code",
    [
        f"{SPARSE} [b].flat()",
        f"{SPARSE} [1].flatMap(() => b)",
        f"{SPARSE} [].concat(b)",
        "[].concat({ length: 2 ** 53 - 1, [Symbol.isConcatSpreadable]: true })",
        "Array.from({ length: 1e9 })",
        f"{SPARSE} Array.from(b)",
        "Array.fromAsync({ length: 1e9 })",
        "Array.from('a'.repeat(2 ** 20) + 'b')",
        "new Array(1e9).fill(0)",
        "Math.max.apply(null, { length: 1e8 })",
        f"{SPARSE} Math.max.apply(null, b)",
        "Reflect.apply(Math.max, null, { length: 1e8 })",
        "Reflect.construct(Date, { length: 1e8 })",
        f"Math.max.apply(null, {GROWING})",
        "String.raw({ raw: { length: 2 ** 53 - 1 } })",
        f"{SPARSE} JSON.stringify({{}}, b)",
        "JSON.parse('['.repeat(8e6) + ']'.repeat(8e6))",
        "JSON.parse('[' + '1,'.repeat(1e8) + '1]')",
        "eval('[' + '1,'.repeat(2e7) + '1]')",
        "Function('1;'.repeat(2e7))",
        "(async () => {}).constructor('1;'.repeat(2e7))",
        "(function* () {}).constructor('1;', '1;'.repeat(2e7))",
        "'a'.repeat(2 ** 28).split('')",
        f"{HUGE} s.split(/a/)",
        f"{HUGE} s.replace(/a/g, () => 'bbbb')",
        f"{HUGE} s.match(/a/g)",
        f"{HUGE} /a/[Symbol.split](s)",
        f"{HUGE} /a/g[Symbol.replace](s, 'b')",
        f"{HUGE} s.normalize('NFKD')",
        f"{HUGE} s.toLocaleUpperCase('tr')",
        f"{HUGE} s.localeCompare(s + 'b')",
        f"{HUGE} encodeURIComponent(s)",
        f"{HUGE} RegExp.escape(s)",
        f"{HUGE} s.anchor(s)",
        f"{HUGE} new TextEncoder().encode(s)",
        f"{HUGE} btoa(s)",
        f"{HUGE} structuredClone([s, {{ s }}])",
        "'a'.repeat(2 ** 22).indexOf('a'.repeat(2 ** 20) + 'b' + 'a'.repeat(2 ** 20))",
        "'a'.repeat(2 ** 22).lastIndexOf({ toString: () => 'a'.repeat(2 ** 21) + 'b' })",
        "'a'.repeat(2 ** 22).replaceAll('b' + 'a'.repeat(2 ** 21), '')",
        "'x'.padStart(2 ** 29 - 25, 'yz')",
        "const a = new Uint8Array(8e6); let x = 0; for (;;) x += a.indexOf(1)",
        "const a = new Array(1e5).fill(1); for (;;) a.fill(2)",
        "const a = new Array(1e6).fill('abc'); for (;;) a.join()",
        "const a = Array.from({ length: 5e5 }, (_, i) => (i * 7919) % 2000003); a.sort()",
        "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1))",
        "for (;;) new Intl.DateTimeFormat('en')",
        "const a = []; for (;;) a.push(new Intl.DateTimeFormat('en'))",
        "const d = new Date(); for (;;) d.toLocaleString('en', { year: 'numeric' })",
        "const s = new Intl.Segmenter('en'), a = []; for (;;) a.push(s.segment('abc '.repeat(2000)))",
        (
            "const s = new Intl.Segmenter('en').segment('abc '.repeat(2000)), a = []; for (;;)"
            " a.push(s[Symbol.iterator]())"
        ),
        "for (;;) Intl.supportedValuesOf('timeZone')",
        "Intl.getCanonicalLocales({ length: 2 ** 53 - 1 })",
        "new Intl.NumberFormat({ length: 2 ** 53 - 1 })",
        "Intl.Collator.supportedLocalesOf({ get length() { return 2 ** 53 - 1 } })",
        "'a'.localeCompare('b', { length: 2 ** 53 - 1 })",
        "'a'.toLocaleUpperCase({ length: 2 ** 53 - 1 })",
        "(1).toLocaleString({ length: 2 ** 53 - 1 })",
        "[1].toLocaleString({ length: 2 ** 53 - 1 })",
        "new Date().toLocaleDateString(new Proxy([], { get: (t, k) => (k === 'length' ? 2 ** 53 - 1 : t[k]) }))",
        "Intl.getCanonicalLocales(Array.from({ length: 3e5 }, (_, i) => `en-x-a${i}`))",
        "while (true) {}",
        "(async () => { for (;;) await 0 })()",
        "const t = { then(r) { r(t) } }; Promise.resolve(t)",
        "/^(a+)+$/.test('a'.repeat(60) + 'b')",
        "const a = []; for (;;) a.push({ x: 1 })",
        "let o = {}; for (let i = 0; i < 1e5; i++) o = { o, p: [o, o] }; for (;;) console.log(o)",
        "for (;;) on('ready', () => {})",
        "for (;;) new URL('http://' + 'ä'.repeat(2 ** 16))",
        "for (;;) crypto.getRandomValues(new Uint8Array(65536))",
    ],
)  # fmt: skip
def test_attacks_end(new_guild: NewGuild, code: str) -> None:
    new_guild().attack(f"{{ {code} }}")


@pytest.mark.parametrize(
    "code",
    [
        "new ArrayBuffer(1e9)",
        "new ArrayBuffer(8, { maxByteLength: 1e9 })",
        "new ArrayBuffer({ valueOf: () => 1e9 })",
        "new ArrayBuffer(8).transfer(1e9)",
        "new ArrayBuffer(8, { maxByteLength: 16 }).transferToFixedLength(1e9)",
        "new Uint8Array(1e9)",
        "new Uint8Array('1e9')",
        "new Float64Array(2e6)",
        "new (new Uint8Array(1).constructor)(1e9)",
        "new (new Uint8Array(1).buffer.constructor)(1e9)",
        "new (class extends Uint8Array {})(1e9)",
        "Reflect.construct(Uint8Array, [1e9])",
        "Reflect.construct(Uint8Array, [1e9], Int8Array)",
        "new Int8Array({ length: 1e9 })",
        "new Int8Array({ get length() { return (globalThis.n = (globalThis.n ?? 0) + 1) < 2 ? 1e9 : 1 } })",
        "Int8Array.from({ length: 1e9 })",
        "new Float64Array(new Uint8Array(8e6))",
        "Uint8Array.fromHex('00'.repeat(2 ** 21) + '0000')",
        "new Uint8Array(8e6).join('x'.repeat(40))",
        "new Array(1e6).join('x'.repeat(100))",
        "'a'.repeat(2 ** 22 + 1)",
        "JSON.parse('1' + ' '.repeat(2 ** 22 - 1) + ' ')",
        "new Intl.Locale('en').toString.call(Intl.getCanonicalLocales(new Array(1001).fill('en')))",
    ],
)
def test_values_that_are_too_large_are_a_range_error(page: GuildUnderTest, code: str) -> None:
    error = page.throws(code)
    assert error.startswith("RangeError: ")
    assert error.endswith("is too large for this runtime")


@pytest.mark.parametrize("name", ["WebAssembly", "SharedArrayBuffer", "Atomics", "Temporal"])
def test_what_no_bot_needs_is_gone(page: GuildUnderTest, name: str) -> None:
    assert page.value(f"typeof {name}") == "undefined"


def test_memory_behind_intl_counts(new_guild: NewGuild) -> None:
    assert new_guild().attack("const a = []; for (;;) a.push(new Intl.NumberFormat('en'))") == "out of memory"


def test_intl_objects_that_are_dropped_are_collected(new_guild: NewGuild) -> None:
    guild = new_guild()
    guild.run("for (let i = 0; i < 5000; i++) new Intl.NumberFormat('en').format(i)")
    assert guild.memory() < 64 << 20


# What the built-ins do must not change. Each expression is evaluated with and without the prelude.
ARRAYS = [
    "[1, , 3]",
    "['b', 'a', undefined, 'c']",
    "[3, 1, 2, 10]",
    "[[1, [2]], [], [[3]]]",
    "{ length: 3, 0: 'x', 2: 'z' }",
    "'str'",
    "new Proxy([1, 2, 3], {})",
    "new Uint8Array([5, 4, 3])",
    "(function () { return arguments })(1, 2, 3)",
    "Object.assign([1, 2], { extra: 1 })",
    "new (class Sub extends Array {})(1, 2, 3)",
    "5",
    "null",
    "undefined",
]
CALLS = [
    "concat(4, [5, [6]], { length: 1, 0: 'n' })",
    "concat({ length: 2, 0: 'y', [Symbol.isConcatSpreadable]: true })",
    "concat(Object.assign([1], { [Symbol.isConcatSpreadable]: false }))",
    "concat()",
    "copyWithin(0, 1)",
    "copyWithin(1, 0, 2)",
    "every((x) => x)",
    "fill(7, 1)",
    "fill(0, -2, -1)",
    "filter((x, i, a) => i && a)",
    "find((x) => x === undefined)",
    "findIndex((x) => x === undefined)",
    "findLast((x) => x)",
    "findLastIndex((x) => x === 'x')",
    "flat()",
    "flat(Infinity)",
    "flat(0)",
    "flatMap((x) => [x, [x]])",
    "includes(undefined)",
    "includes(1, -1)",
    "indexOf(undefined)",
    "indexOf(3, -1)",
    "join()",
    "join('-')",
    "join(undefined)",
    "join({ toString: () => '+' })",
    "lastIndexOf(3)",
    "lastIndexOf(3, -2)",
    "lastIndexOf(3, undefined)",
    "map((x, i) => [x, i])",
    "map(String)",
    "reduce((a, b) => `${a}${b}`)",
    "reduce((a, b) => `${a}${b}`, undefined)",
    "reduceRight((a, b) => `${a}${b}`, '')",
    "reverse()",
    "shift()",
    "slice(1)",
    "slice(-2, -1)",
    "slice()",
    "some((x) => x === 3)",
    "sort()",
    "sort((a, b) => b - a)",
    "sort(null)",
    "splice(1)",
    "splice(0, 1, 'n', 'm')",
    "splice()",
    "splice(0, undefined)",
    "toLocaleString()",
    "toReversed()",
    "toSorted()",
    "toSorted((a, b) => b - a)",
    "toSpliced(1, 1)",
    "toSpliced()",
    "toString()",
    "unshift('u', 'v')",
    "unshift()",
    "with(0, 'w')",
    "with(9, 'w')",
    "map()",
    "forEach(null)",
    "flatMap(5)",
    "push('p')",
    "at(-1)",
]


def outcome(guild: GuildUnderTest, expression: str) -> Any:
    return guild.value(
        "(() => { const show = (v) => JSON.stringify(v, (k, x) => typeof x === 'bigint' ? `${x}n`"
        " : x === undefined ? 'undefined' :"
        " typeof x === 'number' && !Number.isFinite(x) ? String(x) : typeof x === 'function' ?"
        " 'function' : x);"
        f" try {{ return show({expression}) }} catch (e) {{ return e.name }} }})()"
    )


@pytest.mark.parametrize("call", CALLS)
def test_array_methods_do_what_they_did(page: GuildUnderTest, bare: GuildUnderTest, call: str) -> None:
    method, _, arguments = call.partition("(")
    for receiver in ARRAYS:
        run = (
            f"((self) => {{ const r = Array.prototype.{method}.call(self, {arguments};"
            " return [r === self, r, self, Object.prototype.toString.call(r), r?.constructor?.name] })"
            f"({receiver})"
        )
        assert outcome(page, run) == outcome(bare, run), receiver


EXPRESSIONS = [
    "Intl.getCanonicalLocales(['de-de', 'EN', 'de-DE'])",
    "Intl.getCanonicalLocales('de-de')",
    "Intl.getCanonicalLocales({ length: 2, 1: 'fr' })",
    "Intl.getCanonicalLocales([, 'fr'])",
    "Intl.getCanonicalLocales([5])",
    "Intl.getCanonicalLocales(null)",
    "Intl.getCanonicalLocales()",
    "Intl.getCanonicalLocales(new Intl.Locale('de-at'))",
    "Intl.getCanonicalLocales([new Intl.Locale('de-at')])",
    "new Intl.NumberFormat(new Intl.Locale('de', { numberingSystem: 'arab' })).format(1234.5)",
    "new Intl.Locale(new Intl.Locale('de-at')).toString()",
    "Intl.NumberFormat.supportedLocalesOf(['de', 'xx'])",
    "new Intl.NumberFormat(null)",
    "(1234.5).toLocaleString(['xx', 'de'])",
    "'I'.toLocaleLowerCase(['tr'])",
    "'ä'.localeCompare('z', new Intl.Locale('sv'))",
    "[1234.5, 2].toLocaleString(['de'])",
    "Array.from('héllo')",
    "Array.from({ length: 3 }, (_, i) => i * 2)",
    "Array.from(new Set([1, 2]), String)",
    "Array.from(new Map([[1, 2]]).keys())",
    "Array.from([1, , 3])",
    "Array.from(function* () { yield 1; yield 2 }())",
    "Array.from(5)",
    "Array.from(null)",
    "Array.from.call(Object, [1, 2]).length",
    "Array.from([1], 5)",
    "Array.from({ [Symbol.iterator]: null, length: 2 })",
    "(class extends Array {}).from([1]).constructor.name === ''",
    "Math.max.apply(null, [1, 5])",
    "Math.max.apply(null, { length: 2, 0: 1, 1: 5 })",
    "Math.max.apply(null)",
    "Math.max.apply(null, undefined)",
    "Math.max.apply(null, 'x')",
    "(function () { return Math.max.apply(null, arguments) })(3, 4)",
    "Math.max.apply(null, new Proxy([1, 9], {}))",
    "Math.max.apply(null, new Uint8Array([1, 7]))",
    "Reflect.apply(Math.max, null, [1, 2])",
    "Reflect.apply(Math.max, null)",
    "Reflect.apply(1, null, [])",
    "Reflect.construct(Date, [0]).getTime()",
    "Reflect.construct(Array, [3], class extends Array {}).length",
    "Reflect.construct(Date)",
    "Reflect.construct(Date, [], 5)",
    "(() => 1).apply.call((x) => x, null, [4])",
    "'a,b,c'.split(',')",
    "'a,b,c'.split(',', 2)",
    "'abc'.split('')",
    "'abc'.split()",
    "'a1b2'.split(/\\d/)",
    "'a1b2'.split(/(\\d)/)",
    "'abc'.split({ [Symbol.split]: (s) => s + '!' })",
    "'a.b'.replace('.', '$&$&')",
    "'aaa'.replaceAll('a', (m, i) => i)",
    "'aaa'.replace(/a/g, 'b')",
    "'abc'.replace(/(?<x>b)/, '[$<x>]')",
    "'abc'.replace('b')",
    "'aXbX'.replaceAll(/X/g, '-')",
    "'aXbX'.replaceAll(/X/, '-')",
    "'abab'.match(/b/g)",
    "'abab'.match(/(b)/).index",
    "'abab'.match('b')[0]",
    "'x'.match(/y/)",
    "[...'abab'.matchAll(/b/g)].map((m) => m.index)",
    "'abc'.search(/c/)",
    "'abc'.search('b')",
    "'abc'.includes('b', 2)",
    "'abc'.includes(/b/)",
    "'abc'.indexOf('c', -5)",
    "'abcabc'.lastIndexOf('c', 4)",
    "'abcabc'.lastIndexOf('c', undefined)",
    "'abc'.indexOf()",
    "'undefined'.indexOf()",
    "'1,2'.indexOf({ toString: () => ',' })",
    "'x'.repeat(3)",
    "'x'.repeat(-1)",
    "'x'.repeat(Infinity)",
    "'x'.repeat('2')",
    "'x'.repeat()",
    "'5'.padStart(3, '0')",
    "'5'.padEnd(3)",
    "'5'.padStart()",
    "'5'.padStart(3, '')",
    "'é'.normalize('NFD').length",
    "'é'.normalize('bad')",
    "'Ä'.toLowerCase()",
    "'ß'.toUpperCase()",
    "'I'.toLocaleLowerCase('tr')",
    "'a'.localeCompare('b')",
    "'ä'.localeCompare('z', 'sv')",
    "'a'.localeCompare('A', 'en', { sensitivity: 'base' })",
    "String.prototype.split.call(123, '2')",
    "String.prototype.split.call(null, '2')",
    "String.prototype.repeat.call({ toString: () => 'ab' }, 2)",
    "String.prototype.includes.call(Symbol(), 'x')",
    "String.raw`a${1}\\n`",
    "String.raw({ raw: 'xyz' }, 1, 2)",
    "String.raw()",
    "/a/[Symbol.replace]('aa', 'b')",
    "/b/y[Symbol.split]('abc')",
    "RegExp.escape('a.b*c')",
    "RegExp.escape(5)",
    "/(?<y>\\d+)/.exec('a12').groups",
    "JSON.parse('{\"a\":[1]}', (k, v) => (k === '0' ? 5 : v))",
    "JSON.parse('x')",
    "JSON.parse(null)",
    "JSON.parse()",
    "JSON.stringify({ a: 1, b: 2 }, ['b'], 1)",
    "JSON.stringify({ a: 1 }, (k, v) => v)",
    "JSON.stringify(undefined)",
    "JSON.stringify()",
    "encodeURIComponent('ä b&')",
    "decodeURIComponent('%C3%A4')",
    "decodeURIComponent('%')",
    "encodeURI('a b?é')",
    "decodeURI('%2F')",
    "escape('ä')",
    "unescape('%E4')",
    "encodeURIComponent()",
    "eval('1 + 1')",
    "eval(5)",
    "new Function('a', 'b', 'return a + b')(1, 2)",
    "Function('return this === globalThis')()",
    "Function.prototype.constructor === Function",
    "(() => {}).constructor === Function",
    "(() => {}) instanceof Function",
    "new Function('}')",
    "Function.name + Proxy.name + ArrayBuffer.name + Intl.Locale.name",
    "class F extends Function {}; 1",
    "(async () => {}).constructor.name",
    "typeof (function* () {}).constructor('yield 1')().next",
    "new Uint8Array(3)",
    "new Uint8Array()",
    "new Uint8Array(undefined)",
    "new Uint8Array(null)",
    "new Uint8Array([1, 2.9, '3', -1])",
    "new Uint8Array(new Set([1, 2]))",
    "new Uint8Array({ length: 2, 0: 9 })",
    "new Uint8Array(new Float32Array([1.5, 2.5]))",
    "new Uint16Array(new Uint8Array([1, 2, 3, 4]).buffer, 2)",
    "new Uint16Array(new ArrayBuffer(3))",
    "new Uint16Array(new ArrayBuffer(8), 1)",
    "new Uint8Array(-1)",
    "new Uint8Array('3')",
    "new Uint8Array(1.5)",
    "new Uint8Array(Symbol())",
    "new BigInt64Array([1n, 2n])",
    "new BigInt64Array([1])",
    "Uint8Array(2)",
    "Uint8Array.name + Uint8Array.BYTES_PER_ELEMENT",
    "new Uint8Array(1).constructor === Uint8Array",
    "new Uint8Array(1) instanceof Uint8Array",
    "Object.getPrototypeOf(Uint8Array) === Object.getPrototypeOf(Int8Array)",
    "Uint8Array.of(1, 2)",
    "Uint8Array.from([1, 2], (x) => x * 2)",
    "Uint8Array.from('123')",
    "Uint8Array.from(new Set([4]))",
    "Uint8Array.from({ length: 2, 0: 1 })",
    "new (class B extends Uint8Array { get two() { return this.length * 2 } })(2).two",
    "new (class B extends Uint8Array {})([1, 2]).map((x) => x * 2).constructor.name",
    "new Uint8Array([3, 1, 2]).sort()",
    "new Float64Array([3, -0, NaN, 1]).toSorted()",
    "new Uint8Array([1, 2, 3]).subarray(1).fill(9)",
    "new Uint8Array([1, 2, 3]).slice(-2)",
    "new Uint8Array([1, 2, 3]).indexOf(3, -1)",
    "new Uint8Array([1, 2, 1]).lastIndexOf(1)",
    "new Uint8Array([1, 2, 1]).lastIndexOf(1, -2)",
    "new Uint8Array([1, 2]).reduce((a, b) => a + b)",
    "new Uint8Array([]).reduce((a, b) => a)",
    "new Uint8Array([]).reduce((a, b) => a, 5)",
    "new Uint8Array([1, 2, 3]).join('-')",
    "new Uint8Array([1, 2]).join()",
    "((a) => (a.set([7], 1), a))(new Uint8Array(3))",
    "new Uint8Array([1, 2, 3]).with(0, 5)",
    "new Uint8Array([1, 2, 3]).copyWithin(0, 1)",
    "Uint8Array.prototype.fill.call([1], 2)",
    "new Uint8Array([1, 2]).toReversed()",
    "new ArrayBuffer(8).byteLength",
    "new ArrayBuffer(8, { maxByteLength: 16 }).maxByteLength",
    "ArrayBuffer.isView(new DataView(new ArrayBuffer(1)))",
    "ArrayBuffer(8)",
    "new ArrayBuffer(-1)",
    "new ArrayBuffer()",
    "new ArrayBuffer(8).slice(2).byteLength",
    "new ArrayBuffer(8).transfer().byteLength",
    "((b) => [b.transfer(4).byteLength, b.detached])(new ArrayBuffer(8))",
    "((b) => (b.resize(12), b.byteLength))(new ArrayBuffer(8, { maxByteLength: 16 }))",
    "new ArrayBuffer(1) instanceof ArrayBuffer",
    "new ArrayBuffer(1).constructor === ArrayBuffer",
    "Uint8Array.fromBase64('AQI=')",
    "Uint8Array.fromHex('0102')",
    "new Uint8Array([1]).toBase64()",
    "new Proxy({ a: 1 }, { get: (t, k) => k }).b",
    "Proxy({}, {})",
    "new Proxy(1, {})",
    "Proxy.revocable({ a: 1 }, {}).proxy.a",
    "((r) => (r.revoke(), r.proxy.a))(Proxy.revocable({}, {}))",
    "typeof new Proxy(() => 1, {})",
    "Array.isArray(new Proxy([], {}))",
    "((p) => (p.push(1, 2), p.reverse(), p.splice(0, 1), [...p]))(new Proxy([], {}))",
    "new Intl.NumberFormat('de', { style: 'currency', currency: 'EUR' }).format(1234.5)",
    "Intl.NumberFormat('en').format(1e6)",
    "new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).format(0)",
    "new Intl.NumberFormat('en') instanceof Intl.NumberFormat",
    "new Intl.NumberFormat('en').constructor === Intl.NumberFormat",
    "Intl.NumberFormat.supportedLocalesOf(['de', 'xx'])",
    "new Intl.NumberFormat('bad_locale')",
    "new (class extends Intl.Collator { x = 1 })('de').x",
    "[...new Intl.Segmenter('en').segment('ab')].map((s) => s.segment)",
    "new Intl.Segmenter('en', { granularity: 'word' }).segment('a b').containing(2).segment",
    "Intl.supportedValuesOf('currency').length > 100",
    "Intl.supportedValuesOf('x')",
    "new Intl.Locale('de-AT').language",
    "new Intl.PluralRules('en').select(1)",
    "Intl.Collator.name",
    "new Date(0).toLocaleString('en', { timeZone: 'UTC' })",
    "new Date(0).toLocaleDateString('de', { timeZone: 'UTC' })",
    "new Date(NaN).toLocaleTimeString()",
    "(1234.5).toLocaleString('de')",
    "(5n).toLocaleString('en', { style: 'percent' })",
    "[1, 2, 3].map.name + [].map.name",
    "[].flat.call('abc')",
    "[[1]].flat(-1)",
    "[1, [2, [3]]].flat('1')",
    "Array.prototype.flat.call(null)",
    "Array.prototype.toString.call({ join: () => 'j' })",
    "Array.prototype.toString.call({})",
    "Object.keys(Array.prototype)",
    "Object.keys(String.prototype)",
    "Object.keys(Uint8Array.prototype)",
    "Object.getOwnPropertyDescriptor(Array.prototype, 'map').enumerable",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_built_ins_do_what_they_did(page: GuildUnderTest, bare: GuildUnderTest, expression: str) -> None:
    if expression.startswith("class "):
        expression = f"eval({expression!r})"
    assert outcome(page, expression) == outcome(bare, expression)


def test_a_stand_in_that_a_callback_kept_is_no_way_around(new_guild: NewGuild) -> None:
    lie = (
        "let lying = false;"
        " const p = new Proxy([1], { get: (t, k) => k === 'length' && lying ? 2 ** 32 - 2 : t[k] });"
    )
    leak = "let kept; Array.prototype.forEach.call(p, (x, i, list) => { kept = list });"
    new_guild().attack(f"{lie} {leak} lying = true; for (;;) {{ kept.sort(); kept.indexOf(5) }}")
    new_guild().attack(f"{lie} {leak} lying = true; Math.max.apply(null, kept)")


def test_large_arrays_still_work_only_slower(new_guild: NewGuild) -> None:
    guild = new_guild()
    guild.run("globalThis.a = new Array(2 ** 20 + 5); a[2 ** 20] = 'x'")
    assert guild.value(
        "[a.indexOf('x'), a.includes('x'), a.filter(() => true).length, a.slice(-6)[1], a.sort()[0]]"
    ) == [
        1048576,
        True,
        1,
        "x",
        "x",
    ]
