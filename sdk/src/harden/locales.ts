// Lists of locales, which Intl and a dozen other built-ins take. V8 walks an array-like one and compares each
// locale with all before it, natively: they get to see short arrays only.

import { ArrayIsArray, ArrayPush, uncurry } from "../prelude/primordials.ts";
import { tooLarge } from "./replace.ts";

type Any = any;

/** Locales in one list; nobody speaks as many languages. */
const LOCALES_LIMIT = 1000;

const localeText = uncurry(Intl.Locale.prototype.toString as (this: Intl.Locale) => string);

/** `locales` as something that native code cannot be held up with. */
export function localeList(locales: Any): Any {
  if (typeof locales !== "object" || locales === null) return locales;
  if (!ArrayIsArray(locales)) {
    try {
      return localeText(locales);
    } catch {
      // Not an Intl.Locale.
    }
  }
  const list: unknown[] = [];
  const { length } = locales;
  if (length > LOCALES_LIMIT) throw tooLarge("the list of locales");
  for (let i = 0; i < length; i++) if (i in locales) ArrayPush(list, locales[i]);
  return list;
}
