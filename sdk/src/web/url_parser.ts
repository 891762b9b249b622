// The URL parser, state for state as in https://url.spec.whatwg.org/#concept-basic-url-parser. Setters of
// URL run it from a state of their own (`override`) on the record they change.

import {
  NumberIntrinsic,
  RegExpExec,
  StringCharCodeAt,
  StringIndexOf,
  StringSlice,
  StringToLowerCase,
  StringToWellFormed,
  append,
} from "../prelude/primordials.ts";
import { C0, FRAGMENT, PATH, QUERY, SPECIAL_QUERY, USERINFO, percentEncode } from "./percent.ts";
import { parseHost } from "./url_host.ts";

export interface UrlRecord {
  /** Without the colon. */
  scheme: string;
  username: string;
  password: string;
  /** Serialised; undefined where there is none, "" for `file:`. */
  host: string | undefined;
  port: number | undefined;
  /** Segments, or the one string of an opaque path. */
  path: string[] | string;
  query: string | undefined;
  fragment: string | undefined;
}

/** Default ports; `file` has none and is special all the same. */
const SPECIAL = { __proto__: null, ftp: 21, file: 0, http: 80, https: 443, ws: 80, wss: 443 } as unknown as Record<
  string,
  number | undefined
>;

function isSpecial(url: UrlRecord): boolean {
  return SPECIAL[url.scheme] !== undefined;
}

export const SCHEME_START = 1;
const SCHEME = 2;
const NO_SCHEME = 3;
const SPECIAL_RELATIVE_OR_AUTHORITY = 4;
const PATH_OR_AUTHORITY = 5;
const RELATIVE = 6;
const RELATIVE_SLASH = 7;
const SPECIAL_AUTHORITY_SLASHES = 8;
const SPECIAL_AUTHORITY_IGNORE_SLASHES = 9;
const AUTHORITY = 10;
export const HOST = 11;
export const HOSTNAME = 12;
export const PORT = 13;
const FILE = 14;
const FILE_SLASH = 15;
const FILE_HOST = 16;
export const PATH_START = 17;
const PATH_STATE = 18;
const OPAQUE_PATH = 19;
export const QUERY_STATE = 20;
export const FRAGMENT_STATE = 21;

const END = "";

/** Without what no URL may hold: tabs, line ends and, at both ends, controls and spaces. */
function clean(input: string, trim: boolean): string {
  let text = StringToWellFormed(input);
  if (trim) {
    let from = 0;
    let to = text.length;
    while (from < to && StringCharCodeAt(text, from) <= 32) from++;
    while (to > from && StringCharCodeAt(text, to - 1) <= 32) to--;
    text = StringSlice(text, from, to);
  }
  if (RegExpExec(/[\t\n\r]/, text) === null) return text;
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c !== "\t" && c !== "\n" && c !== "\r") out += c;
  }
  return out;
}

function isLetter(c: string): boolean {
  return (c >= "a" && c <= "z") || (c >= "A" && c <= "Z");
}

function isDriveLetter(text: string, normalized = false): boolean {
  return text.length === 2 && isLetter(text[0] as string) && (text[1] === ":" || (!normalized && text[1] === "|"));
}

/** Whether `text` at `at` starts with a drive letter that ends there. */
function startsWithDrive(text: string, at: number): boolean {
  if (!isDriveLetter(StringSlice(text, at, at + 2))) return false;
  const after = text[at + 2];
  return after === undefined || after === "/" || after === "\\" || after === "?" || after === "#";
}

function isSingleDot(segment: string): boolean {
  return segment === "." || StringToLowerCase(segment) === "%2e";
}

function isDoubleDot(segment: string): boolean {
  if (segment === "..") return true;
  const lower = StringToLowerCase(segment);
  return lower === ".%2e" || lower === "%2e." || lower === "%2e%2e";
}

function shorten(url: UrlRecord): void {
  const path = url.path as string[];
  if (url.scheme === "file" && path.length === 1 && isDriveLetter(path[0] as string, true)) return;
  if (path.length > 0) path.length--;
}

function copyPath(path: string[] | string): string[] | string {
  if (typeof path === "string") return path;
  const out: string[] = [];
  for (let i = 0; i < path.length; i++) append(out, path[i] as string);
  return out;
}

function newRecord(): UrlRecord {
  return {
    scheme: "",
    username: "",
    password: "",
    host: undefined,
    port: undefined,
    path: [],
    query: undefined,
    fragment: undefined,
  };
}

/** The record of `input`, undefined when it is no URL. */
export function parseUrl(input: string, base?: UrlRecord): UrlRecord | undefined {
  const url = newRecord();
  return run(clean(input, true), base, url, 0) ? url : undefined;
}

/** Change `url` as a setter does: parse `input` from the state `override`. */
export function reparse(input: string, url: UrlRecord, override: number): void {
  run(clean(input, false), undefined, url, override);
}

/** False for failure. */
function run(input: string, base: UrlRecord | undefined, url: UrlRecord, override: number): boolean {
  let state = override || SCHEME_START;
  let buffer = "";
  let at = 0;
  let atSignSeen = false;
  let inBrackets = false;
  let passwordSeen = false;
  const special = () => isSpecial(url);

  for (; ; at++) {
    const c = at < input.length ? (input[at] as string) : END;
    switch (state) {
      case SCHEME_START:
        if (isLetter(c)) {
          buffer = StringToLowerCase(c);
          state = SCHEME;
        } else if (override === 0) {
          state = NO_SCHEME;
          at--;
        } else return false;
        break;

      case SCHEME:
        if (c !== END && (isLetter(c) || (c >= "0" && c <= "9") || c === "+" || c === "-" || c === ".")) {
          buffer += StringToLowerCase(c);
        } else if (c === ":") {
          if (override !== 0) {
            if (special() !== (SPECIAL[buffer] !== undefined)) return true;
            if (buffer === "file" && (url.username !== "" || url.password !== "" || url.port !== undefined))
              return true;
            if (url.scheme === "file" && !url.host) return true;
          }
          url.scheme = buffer;
          if (override !== 0) {
            if (url.port === SPECIAL[url.scheme]) url.port = undefined;
            return true;
          }
          buffer = "";
          if (url.scheme === "file") state = FILE;
          else if (special() && base !== undefined && base.scheme === url.scheme) state = SPECIAL_RELATIVE_OR_AUTHORITY;
          else if (special()) state = SPECIAL_AUTHORITY_SLASHES;
          else if (input[at + 1] === "/") {
            state = PATH_OR_AUTHORITY;
            at++;
          } else {
            url.path = "";
            state = OPAQUE_PATH;
          }
        } else if (override === 0) {
          buffer = "";
          state = NO_SCHEME;
          at = -1;
        } else return false;
        break;

      case NO_SCHEME:
        if (base === undefined || (typeof base.path === "string" && c !== "#")) return false;
        if (typeof base.path === "string") {
          url.scheme = base.scheme;
          url.path = base.path;
          url.query = base.query;
          url.fragment = "";
          state = FRAGMENT_STATE;
        } else {
          state = base.scheme === "file" ? FILE : RELATIVE;
          at--;
        }
        break;

      case SPECIAL_RELATIVE_OR_AUTHORITY:
        if (c === "/" && input[at + 1] === "/") {
          state = SPECIAL_AUTHORITY_IGNORE_SLASHES;
          at++;
        } else {
          state = RELATIVE;
          at--;
        }
        break;

      case PATH_OR_AUTHORITY:
        if (c === "/") state = AUTHORITY;
        else {
          state = PATH_STATE;
          at--;
        }
        break;

      case RELATIVE: {
        const from = base as UrlRecord;
        url.scheme = from.scheme;
        if (c === "/" || (special() && c === "\\")) {
          state = RELATIVE_SLASH;
          break;
        }
        url.username = from.username;
        url.password = from.password;
        url.host = from.host;
        url.port = from.port;
        url.path = copyPath(from.path);
        url.query = from.query;
        if (c === "?") {
          url.query = "";
          state = QUERY_STATE;
        } else if (c === "#") {
          url.fragment = "";
          state = FRAGMENT_STATE;
        } else if (c !== END) {
          url.query = undefined;
          shorten(url);
          state = PATH_STATE;
          at--;
        }
        break;
      }

      case RELATIVE_SLASH:
        if (special() && (c === "/" || c === "\\")) state = SPECIAL_AUTHORITY_IGNORE_SLASHES;
        else if (c === "/") state = AUTHORITY;
        else {
          const from = base as UrlRecord;
          url.username = from.username;
          url.password = from.password;
          url.host = from.host;
          url.port = from.port;
          state = PATH_STATE;
          at--;
        }
        break;

      case SPECIAL_AUTHORITY_SLASHES:
        state = SPECIAL_AUTHORITY_IGNORE_SLASHES;
        if (c === "/" && input[at + 1] === "/") at++;
        else at--;
        break;

      case SPECIAL_AUTHORITY_IGNORE_SLASHES:
        if (c !== "/" && c !== "\\") {
          state = AUTHORITY;
          at--;
        }
        break;

      case AUTHORITY:
        if (c === "@") {
          if (atSignSeen) buffer = `%40${buffer}`;
          atSignSeen = true;
          const colon = passwordSeen ? -1 : StringIndexOf(buffer, ":");
          if (passwordSeen) url.password += percentEncode(buffer, USERINFO);
          else if (colon === -1) url.username += percentEncode(buffer, USERINFO);
          else {
            passwordSeen = true;
            url.username += percentEncode(StringSlice(buffer, 0, colon), USERINFO);
            url.password += percentEncode(StringSlice(buffer, colon + 1), USERINFO);
          }
          buffer = "";
        } else if (c === END || c === "/" || c === "?" || c === "#" || (special() && c === "\\")) {
          if (atSignSeen && buffer === "") return false;
          at -= buffer.length + 1;
          buffer = "";
          state = HOST;
        } else buffer += c;
        break;

      case HOST:
      case HOSTNAME:
        if (override !== 0 && url.scheme === "file") {
          at--;
          state = FILE_HOST;
        } else if (c === ":" && !inBrackets) {
          if (buffer === "" || override === HOSTNAME) return false;
          const host = parseHost(buffer, special());
          if (host === undefined) return false;
          url.host = host;
          buffer = "";
          state = PORT;
        } else if (c === END || c === "/" || c === "?" || c === "#" || (special() && c === "\\")) {
          at--;
          if (special() && buffer === "") return false;
          if (
            override !== 0 &&
            buffer === "" &&
            (url.username !== "" || url.password !== "" || url.port !== undefined)
          ) {
            return false;
          }
          const host = buffer === "" ? "" : parseHost(buffer, special());
          if (host === undefined) return false;
          url.host = host;
          buffer = "";
          state = PATH_START;
          if (override !== 0) return true;
        } else {
          if (c === "[") inBrackets = true;
          if (c === "]") inBrackets = false;
          buffer += c;
        }
        break;

      case PORT:
        if (c >= "0" && c <= "9") buffer += c;
        else if (c === END || c === "/" || c === "?" || c === "#" || (special() && c === "\\") || override !== 0) {
          if (buffer !== "") {
            const port = NumberIntrinsic(buffer);
            if (port > 65535) return false;
            url.port = port === SPECIAL[url.scheme] ? undefined : port;
            buffer = "";
            if (override !== 0) return true;
          }
          if (override !== 0) return false;
          state = PATH_START;
          at--;
        } else return false;
        break;

      case FILE:
        url.scheme = "file";
        url.host = "";
        if (c === "/" || c === "\\") state = FILE_SLASH;
        else if (base !== undefined && base.scheme === "file") {
          url.host = base.host;
          url.path = copyPath(base.path);
          url.query = base.query;
          if (c === "?") {
            url.query = "";
            state = QUERY_STATE;
          } else if (c === "#") {
            url.fragment = "";
            state = FRAGMENT_STATE;
          } else if (c !== END) {
            url.query = undefined;
            if (startsWithDrive(input, at)) url.path = [];
            else shorten(url);
            state = PATH_STATE;
            at--;
          }
        } else {
          state = PATH_STATE;
          at--;
        }
        break;

      case FILE_SLASH:
        if (c === "/" || c === "\\") state = FILE_HOST;
        else {
          if (base !== undefined && base.scheme === "file") {
            url.host = base.host;
            const drive = (base.path as string[])[0];
            if (!startsWithDrive(input, at) && drive !== undefined && isDriveLetter(drive, true)) {
              append(url.path as string[], drive);
            }
          }
          state = PATH_STATE;
          at--;
        }
        break;

      case FILE_HOST:
        if (c === END || c === "/" || c === "\\" || c === "?" || c === "#") {
          at--;
          if (override === 0 && isDriveLetter(buffer)) state = PATH_STATE;
          else if (buffer === "") {
            url.host = "";
            if (override !== 0) return true;
            state = PATH_START;
          } else {
            const host = parseHost(buffer, special());
            if (host === undefined) return false;
            url.host = host === "localhost" ? "" : host;
            if (override !== 0) return true;
            buffer = "";
            state = PATH_START;
          }
        } else buffer += c;
        break;

      case PATH_START:
        if (special()) {
          state = PATH_STATE;
          if (c !== "/" && c !== "\\") at--;
        } else if (override === 0 && c === "?") {
          url.query = "";
          state = QUERY_STATE;
        } else if (override === 0 && c === "#") {
          url.fragment = "";
          state = FRAGMENT_STATE;
        } else if (c !== END) {
          state = PATH_STATE;
          if (c !== "/") at--;
        } else if (override !== 0 && url.host === undefined) {
          append(url.path as string[], "");
        }
        break;

      case PATH_STATE: {
        const slash = c === "/" || (special() && c === "\\");
        if (c === END || slash || (override === 0 && (c === "?" || c === "#"))) {
          const path = url.path as string[];
          if (isDoubleDot(buffer)) {
            shorten(url);
            if (!slash) append(path, "");
          } else if (isSingleDot(buffer)) {
            if (!slash) append(path, "");
          } else {
            if (url.scheme === "file" && path.length === 0 && isDriveLetter(buffer)) buffer = `${buffer[0]}:`;
            append(path, buffer);
          }
          buffer = "";
          if (c === "?") {
            url.query = "";
            state = QUERY_STATE;
          } else if (c === "#") {
            url.fragment = "";
            state = FRAGMENT_STATE;
          }
        } else {
          const to = segmentEnd(input, at, special(), override !== 0);
          buffer += percentEncode(StringSlice(input, at, to), PATH);
          at = to - 1;
        }
        break;
      }

      case OPAQUE_PATH:
        if (c === "?") {
          url.query = "";
          state = QUERY_STATE;
        } else if (c === "#") {
          url.fragment = "";
          state = FRAGMENT_STATE;
        } else if (c !== END) {
          // A space before the query or the end would be lost when the URL is parsed again.
          const last = input[at + 1];
          url.path += c === " " && (last === "?" || last === "#") ? "%20" : percentEncode(whole(input, at), C0);
          if (isHighSurrogate(c)) at++;
        }
        break;

      case QUERY_STATE: {
        const hash = override === 0 ? StringIndexOf(input, "#", at) : -1;
        const to = hash === -1 ? input.length : hash;
        url.query += percentEncode(StringSlice(input, at, to), special() ? SPECIAL_QUERY : QUERY);
        at = to;
        if (hash !== -1) {
          url.fragment = "";
          state = FRAGMENT_STATE;
        }
        break;
      }

      case FRAGMENT_STATE:
        url.fragment += percentEncode(StringSlice(input, at), FRAGMENT);
        at = input.length;
        break;
    }
    if (at >= input.length) return true;
  }
}

/** Where the path segment at `at` ends. */
function segmentEnd(input: string, at: number, special: boolean, override: boolean): number {
  for (; at < input.length; at++) {
    const c = input[at];
    if (c === "/" || (special && c === "\\") || (!override && (c === "?" || c === "#"))) break;
  }
  return at;
}

function isHighSurrogate(c: string): boolean {
  return c >= "\ud800" && c <= "\udbff";
}

/** The character at `at`, both halves of it. */
function whole(input: string, at: number): string {
  return StringSlice(input, at, at + (isHighSurrogate(input[at] as string) ? 2 : 1));
}

// ------------------------------------------------------------------------------------------ serialising

export function pathOf(url: UrlRecord): string {
  if (typeof url.path === "string") return url.path;
  let out = "";
  for (let i = 0; i < url.path.length; i++) out += `/${url.path[i]}`;
  return out;
}

export function hostOf(url: UrlRecord): string {
  return url.host === undefined ? "" : url.port === undefined ? url.host : `${url.host}:${url.port}`;
}

export function href(url: UrlRecord): string {
  let out = `${url.scheme}:`;
  if (url.host !== undefined) {
    out += "//";
    if (url.username !== "" || url.password !== "") {
      out += url.username + (url.password === "" ? "" : `:${url.password}`) + "@";
    }
    out += hostOf(url);
  } else if (typeof url.path !== "string" && url.path.length > 1 && url.path[0] === "") {
    out += "/."; // else the path would read as a host
  }
  out += pathOf(url);
  if (url.query !== undefined) out += `?${url.query}`;
  if (url.fragment !== undefined) out += `#${url.fragment}`;
  return out;
}

/** Origins of special URLs only; all others are opaque. */
export function originOf(url: UrlRecord): string {
  if (url.scheme === "blob" && typeof url.path === "string") {
    const inner = parseUrl(url.path);
    return inner !== undefined && (inner.scheme === "http" || inner.scheme === "https") ? originOf(inner) : "null";
  }
  return isSpecial(url) && url.scheme !== "file" ? `${url.scheme}://${hostOf(url)}` : "null";
}
