// What a script keeps between its runs: text by key, in stores that exist from their first use.

import { invalidInput } from "../prelude/errors.ts";
import { op } from "../prelude/host.ts";
import { NumberIntrinsic, append, isObject } from "../prelude/primordials.ts";

type SetOptions = flora.KvSetOptions;

/** One step of a transaction, and what each single call sends. */
interface Step {
  op: string;
  store: string;
  [argument: string]: unknown;
}

function textOf(value: unknown, field: string): string {
  if (typeof value !== "string") throw invalidInput(field, "should be a string; JSON.stringify makes one of anything");
  return value;
}

function optionsOf(given: SetOptions | undefined): object | undefined {
  if (given === undefined || given === null) return undefined;
  if (!isObject(given)) throw invalidInput("options", "should be an object");
  const { expiration, ttl, metadata, ifExists, ifNotExists } = given;
  return {
    expiration: expiration === undefined || expiration === null ? undefined : NumberIntrinsic(expiration),
    ttl: ttl === undefined || ttl === null ? undefined : NumberIntrinsic(ttl),
    metadata,
    ifExists,
    ifNotExists,
  };
}

const steps = {
  set: (store: string, key: string, value: string, options?: SetOptions): Step => ({
    op: "kvSet",
    store,
    key,
    value: textOf(value, "value"),
    options: optionsOf(options),
  }),
  delete: (store: string, key: string): Step => ({ op: "kvDelete", store, key }),
  incr: (store: string, key: string, by = 1, options?: SetOptions): Step => ({
    op: "kvIncr",
    store,
    key,
    by,
    options: optionsOf(options),
  }),
  compareAndSet: (
    store: string,
    key: string,
    expected: string | null,
    value: string | null,
    options?: SetOptions,
  ): Step => ({
    op: "kvCompareAndSet",
    store,
    key,
    expected: expected === null ? null : textOf(expected, "expected"),
    value: value === null ? null : textOf(value, "value"),
    options: optionsOf(options),
  }),
  updateMetadata: (store: string, key: string, metadata?: unknown): Step => ({
    op: "kvUpdateMetadata",
    store,
    key,
    metadata,
  }),
  check: (store: string, key: string, expected: string | null): Step => ({
    op: "kvCheck",
    store,
    key,
    expected: expected === null ? null : textOf(expected, "expected"),
  }),
};

async function call<T>(step: Step): Promise<T> {
  return await op(step.op, step, (result) => result as T);
}

interface Found {
  value: string;
  metadata?: flora.JsonValue;
  expiration?: number;
}

export class KvStore implements flora.KvStore {
  readonly name: string;

  constructor(name: string) {
    this.name = textOf(name, "store");
  }

  async get(key: string): Promise<string | null> {
    return (await call<Found | null>({ op: "kvGet", store: this.name, key }))?.value ?? null;
  }

  async getWithMetadata<M extends flora.JsonValue = flora.JsonValue>(key: string): Promise<flora.KvEntry<M>> {
    const found = await call<Found | null>({ op: "kvGet", store: this.name, key });
    return (found ?? { value: null }) as flora.KvEntry<M>;
  }

  async set(key: string, value: string, options?: SetOptions): Promise<boolean> {
    return await call(steps.set(this.name, key, value, options));
  }

  async updateMetadata(key: string, metadata?: flora.JsonValue): Promise<void> {
    await call(steps.updateMetadata(this.name, key, metadata));
  }

  async delete(key: string): Promise<boolean> {
    return await call(steps.delete(this.name, key));
  }

  async list<M extends flora.JsonValue = flora.JsonValue>(options?: flora.KvListOptions): Promise<flora.KvPage<M>> {
    const { prefix, cursor, limit } = options ?? {};
    return await call({ op: "kvList", store: this.name, prefix, cursor, limit });
  }

  async count(options?: { prefix?: string }): Promise<number> {
    return await call({ op: "kvCount", store: this.name, prefix: options?.prefix });
  }

  async clear(options?: { prefix?: string }): Promise<number> {
    let removed = 0;
    for (;;) {
      const cleared: { removed: number; complete: boolean } = await call({
        op: "kvClear",
        store: this.name,
        prefix: options?.prefix,
      });
      removed += cleared.removed;
      if (cleared.complete) return removed;
    }
  }

  async incr(key: string, by?: number, options?: SetOptions): Promise<number> {
    return await call(steps.incr(this.name, key, by, options));
  }

  async compareAndSet(
    key: string,
    expected: string | null,
    value: string | null,
    options?: SetOptions,
  ): Promise<boolean> {
    return await call(steps.compareAndSet(this.name, key, expected, value, options));
  }
}

/** A store inside a transaction: the same calls, which only say what is to be done. */
function transactionStore(name: string, out: Step[]): flora.KvTransactionStore {
  textOf(name, "store");
  return {
    set: (key, value, options) => append(out, steps.set(name, key, value, options)),
    delete: (key) => append(out, steps.delete(name, key)),
    incr: (key, by, options) => append(out, steps.incr(name, key, by, options)),
    compareAndSet: (key, expected, value, options) =>
      append(out, steps.compareAndSet(name, key, expected, value, options)),
    updateMetadata: (key, metadata) => append(out, steps.updateMetadata(name, key, metadata)),
    check: (key, expected) => append(out, steps.check(name, key, expected)),
  };
}

export function store(name: string): KvStore {
  return new KvStore(name);
}

export const kv: typeof flora.kv = {
  store,
  async stores() {
    return await op("kvStores", {}, (result) => result as flora.KvStoreInfo[]);
  },
  async transact(describe) {
    const out: Step[] = [];
    describe({ store: (name: string) => transactionStore(name, out) });
    return await op("kvTransact", { steps: out }, (result) => result as flora.KvTransactionResult);
  },
};
