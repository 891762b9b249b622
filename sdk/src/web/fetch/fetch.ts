// fetch, after https://fetch.spec.whatwg.org/#fetch-method. The host makes the request; what goes there and what
// comes back is whole.

import { lastOp, op, reportRejection } from "../../prelude/host.ts";
import {
  PromiseIntrinsic,
  StringIndexOf,
  StringSlice,
  TypeErrorIntrinsic,
  Uint8ArrayToBase64,
  append,
} from "../../prelude/primordials.ts";
import { take } from "./body.ts";
import { type Entry, entriesOf } from "./headers.ts";
import { Request, type Signal, partsOf } from "./request.ts";
import { type Received, type Response, received } from "./response.ts";

export async function fetch(input: unknown, init?: ConstructorParameters<typeof Request>[1]): Promise<Response> {
  const request = new Request(input, init);
  const { signal } = partsOf(request);
  if (signal?.aborted) throw signal.reason;
  const sent = op("fetch", callOf(request), (answer) => received(answer as Received));
  return await (signal === undefined ? sent : unlessAborted(sent, lastOp(), signal));
}

function callOf(request: Request): object {
  const { url, method, headers, redirect, secretsInBody } = partsOf(request);
  if (StringSlice(url, 0, 5) !== "http:" && StringSlice(url, 0, 6) !== "https:") {
    throw new TypeErrorIntrinsic("only http: and https: can be fetched");
  }
  const content = take(request);
  const hash = StringIndexOf(url, "#");
  return {
    url: hash === -1 ? url : StringSlice(url, 0, hash),
    method,
    headers: pairs(entriesOf(headers)),
    text: content !== null && "text" in content ? content.text : undefined,
    body: content !== null && "bytes" in content ? Uint8ArrayToBase64(content.bytes) : undefined,
    redirect,
    secretsInBody: secretsInBody || undefined,
  };
}

function pairs(entries: Entry[]): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i < entries.length; i++) {
    const { name, value } = entries[i] as Entry;
    append(out, [name, value]);
  }
  return out;
}

function unlessAborted(sent: Promise<Response>, id: number, signal: Signal): Promise<Response> {
  return new PromiseIntrinsic((resolve, reject) => {
    const abort = () => {
      reject(signal.reason);
      void reportRejection(op("fetchAbort", { id }));
    };
    signal.addEventListener("abort", abort, { once: true });
    void settle(sent, resolve, reject, () => signal.removeEventListener("abort", abort));
  });
}

async function settle(
  sent: Promise<Response>,
  resolve: (response: Response) => void,
  reject: (error: unknown) => void,
  end: () => void,
): Promise<void> {
  try {
    resolve(await sent);
  } catch (error) {
    reject(error);
  } finally {
    end();
  }
}
