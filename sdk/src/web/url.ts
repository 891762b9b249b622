// URL, after https://url.spec.whatwg.org/#url-class.

import { NumberToString, StringIntrinsic, StringSlice, TypeErrorIntrinsic } from "../prelude/primordials.ts";
import { USERINFO, percentEncode } from "./percent.ts";
import {
  FRAGMENT_STATE,
  HOST,
  HOSTNAME,
  PATH_START,
  PORT,
  QUERY_STATE,
  SCHEME_START,
  type UrlRecord,
  hostOf,
  href,
  originOf,
  parseUrl,
  pathOf,
  reparse,
} from "./url_parser.ts";
import { URLSearchParams, connect } from "./url_search_params.ts";

/** A string, or something like a URL that turns into one. */
type Text = string | { toString(): string };

function parse(url: unknown, base: unknown): UrlRecord | undefined {
  if (base === undefined) return parseUrl(StringIntrinsic(url));
  const parsed = parseUrl(StringIntrinsic(base));
  return parsed && parseUrl(StringIntrinsic(url), parsed);
}

function cannotHaveAuthority(url: UrlRecord): boolean {
  return !url.host || url.scheme === "file";
}

export class URL {
  #url: UrlRecord;
  #searchParams: URLSearchParams | undefined;

  constructor(url: Text, base?: Text) {
    const record = parse(url, base);
    if (record === undefined) {
      const error = new TypeErrorIntrinsic("Invalid URL") as TypeError & { code: string; input: string };
      error.code = "ERR_INVALID_URL";
      error.input = StringIntrinsic(url);
      throw error;
    }
    this.#url = record;
  }

  static canParse(url: Text, base?: Text): boolean {
    return parse(url, base) !== undefined;
  }

  static parse(url: Text, base?: Text): URL | null {
    return parse(url, base) === undefined ? null : new URL(url, base);
  }

  get href(): string {
    return href(this.#url);
  }

  set href(value: string) {
    const record = parseUrl(StringIntrinsic(value));
    if (record === undefined) throw new TypeErrorIntrinsic("Invalid URL");
    this.#url = record;
    this.#refreshParams();
  }

  get origin(): string {
    return originOf(this.#url);
  }

  get protocol(): string {
    return `${this.#url.scheme}:`;
  }

  set protocol(value: string) {
    reparse(`${StringIntrinsic(value)}:`, this.#url, SCHEME_START);
  }

  get username(): string {
    return this.#url.username;
  }

  set username(value: string) {
    if (!cannotHaveAuthority(this.#url)) this.#url.username = percentEncode(StringIntrinsic(value), USERINFO);
  }

  get password(): string {
    return this.#url.password;
  }

  set password(value: string) {
    if (!cannotHaveAuthority(this.#url)) this.#url.password = percentEncode(StringIntrinsic(value), USERINFO);
  }

  get host(): string {
    return hostOf(this.#url);
  }

  set host(value: string) {
    if (typeof this.#url.path !== "string") reparse(StringIntrinsic(value), this.#url, HOST);
  }

  get hostname(): string {
    return this.#url.host ?? "";
  }

  set hostname(value: string) {
    if (typeof this.#url.path !== "string") reparse(StringIntrinsic(value), this.#url, HOSTNAME);
  }

  get port(): string {
    const { port } = this.#url;
    return port === undefined ? "" : NumberToString(port);
  }

  set port(value: string) {
    if (cannotHaveAuthority(this.#url)) return;
    const text = StringIntrinsic(value);
    if (text === "") this.#url.port = undefined;
    else reparse(text, this.#url, PORT);
  }

  get pathname(): string {
    return pathOf(this.#url);
  }

  set pathname(value: string) {
    if (typeof this.#url.path === "string") return;
    this.#url.path = [];
    reparse(StringIntrinsic(value), this.#url, PATH_START);
  }

  get search(): string {
    const { query } = this.#url;
    return query ? `?${query}` : "";
  }

  set search(value: string) {
    const text = StringIntrinsic(value);
    if (text === "") this.#url.query = undefined;
    else {
      this.#url.query = "";
      reparse(text[0] === "?" ? StringSlice(text, 1) : text, this.#url, QUERY_STATE);
    }
    this.#refreshParams();
  }

  get searchParams(): URLSearchParams {
    if (this.#searchParams === undefined) {
      this.#searchParams = new URLSearchParams(this.#url.query ?? "");
      connect(this.#searchParams, (query) => {
        this.#url.query = query === "" ? undefined : query;
      });
    }
    return this.#searchParams;
  }

  get hash(): string {
    const { fragment } = this.#url;
    return fragment ? `#${fragment}` : "";
  }

  set hash(value: string) {
    const text = StringIntrinsic(value);
    if (text === "") this.#url.fragment = undefined;
    else {
      this.#url.fragment = "";
      reparse(text[0] === "#" ? StringSlice(text, 1) : text, this.#url, FRAGMENT_STATE);
    }
  }

  toString(): string {
    return href(this.#url);
  }

  toJSON(): string {
    return href(this.#url);
  }

  #refreshParams(): void {
    if (this.#searchParams !== undefined) connect(this.#searchParams, undefined, this.#url.query ?? "");
  }
}
