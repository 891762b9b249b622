// Saying what a value should be. A failure carries both sides as text, for `flora test` to compare line by line.

import type * as api from "flora-test";
import { equals, has } from "./equal.ts";
import { show } from "./show.ts";

export class AssertionError extends Error {
  readonly expected: string | undefined;
  readonly actual: string | undefined;

  constructor(message: string, expected: string | undefined, actual: string | undefined, below: object) {
    super(message);
    this.expected = expected;
    this.actual = actual;
    this.name = "AssertionError";
    (Error as unknown as { captureStackTrace(error: Error, below: object): void }).captureStackTrace(this, below);
  }
}

export function expect<T>(actual: T): api.Expectation<T> {
  return expectation(actual, true);
}

function expectation<T>(actual: T, wanted: boolean): api.Expectation<T> {
  const should = wanted ? "should" : "should not";

  function verify(holds: boolean, text: string, below: object, expected?: unknown, ...given: [unknown?]): void {
    if (holds === wanted) return;
    const both = given.length > 0 && wanted;
    throw new AssertionError(
      both ? `${should} ${text}` : `${brief(actual)} ${should} ${text}`,
      both ? show(expected) : undefined,
      both ? show(given[0]) : undefined,
      below,
    );
  }

  const self: api.Expectation<T> = {
    get not() {
      return expectation(actual, !wanted);
    },
    rejects: {
      async toThrow(expected) {
        let thrown: unknown;
        let threw = false;
        try {
          await actual;
        } catch (error) {
          [thrown, threw] = [error, true];
        }
        verify(threw && fits(messageOf(thrown), expected), rejection(expected, threw, thrown), self.rejects.toThrow);
      },
    },
    toBe(expected) {
      verify(Object.is(actual, expected), `be ${brief(expected)}`, self.toBe, expected, actual);
    },
    toEqual(expected) {
      verify(equals(actual, expected), `equal ${brief(expected)}`, self.toEqual, expected, actual);
    },
    toMatchObject(expected) {
      verify(has(actual, expected), `have ${brief(expected)}`, self.toMatchObject, expected, actual);
    },
    toMatch(expected) {
      verify(typeof actual === "string" && fits(actual, expected), `match ${String(expected)}`, self.toMatch);
    },
    toContain(expected) {
      const found =
        typeof actual === "string"
          ? actual.includes(String(expected))
          : Array.isArray(actual) && actual.some((item) => equals(item, expected));
      verify(found, `contain ${brief(expected)}`, self.toContain);
    },
    toHaveLength(expected) {
      const length = (actual as { length?: unknown } | undefined)?.length;
      verify(length === expected, `have length ${expected}, and has ${String(length)}`, self.toHaveLength);
    },
    toBeGreaterThan(expected) {
      verify((actual as number) > expected, `be more than ${expected}`, self.toBeGreaterThan);
    },
    toBeLessThan(expected) {
      verify((actual as number) < expected, `be less than ${expected}`, self.toBeLessThan);
    },
    toBeDefined() {
      verify(actual !== undefined, "be defined", self.toBeDefined);
    },
    toBeUndefined() {
      verify(actual === undefined, "be undefined", self.toBeUndefined);
    },
    toBeNull() {
      verify(actual === null, "be null", self.toBeNull);
    },
    toBeTruthy() {
      verify(Boolean(actual), "be truthy", self.toBeTruthy);
    },
    toBeFalsy() {
      verify(!actual, "be falsy", self.toBeFalsy);
    },
    toThrow(expected) {
      if (typeof actual !== "function") throw new TypeError("expect(…).toThrow() wants a function to call");
      let thrown: unknown;
      let threw = false;
      try {
        actual();
      } catch (error) {
        [thrown, threw] = [error, true];
      }
      verify(threw && fits(messageOf(thrown), expected), rejection(expected, threw, thrown), self.toThrow);
    },
  };
  return self;
}

function rejection(expected: string | RegExp | undefined, threw: boolean, thrown: unknown): string {
  const what = expected === undefined ? "throw" : `throw ${expected instanceof RegExp ? expected : brief(expected)}`;
  return threw ? `${what}, and threw ${brief(messageOf(thrown))}` : `${what}, and did not throw`;
}

function fits(text: string, expected: string | RegExp | undefined): boolean {
  if (expected === undefined) return true;
  return typeof expected === "string" ? text.includes(expected) : expected.test(text);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function brief(value: unknown): string {
  const text = show(value).replaceAll(/\s*\n\s*/g, " ");
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
