// Storage: what goes in and what comes out.

import { expectType } from "./expect.ts";

const counters = kv.store("counters");
expectType<KvStore>()(counters);
expectType<typeof counters>()(store("counters"));
expectType<Promise<string | null>>()(counters.get("a"));
expectType<Promise<number>>()(counters.incr("a"));
expectType<Promise<number>>()(counters.incr("a", -2, { ttl: 60 }));
expectType<Promise<boolean>>()(counters.set("a", "1", { ifNotExists: true, expiration: 5n }));
expectType<Promise<boolean>>()(counters.compareAndSet("a", null, "1"));
expectType<Promise<boolean>>()(counters.delete("a"));

const page = await counters.list<{ by: string }>({ prefix: "a", limit: 10 });
expectType<string | undefined>()(page.keys[0]?.metadata?.by);
expectType<boolean>()(page.listComplete);

const { value, metadata } = await counters.getWithMetadata<number[]>("a");
expectType<string | null>()(value);
expectType<number[] | undefined>()(metadata);

const { committed, results } = await kv.transact((t) => {
  t.store("bank").incr("ada", -5);
  t.store("bank").check("open", "yes");
});
expectType<boolean>()(committed);
expectType<(boolean | number | null)[]>()(results);

const outcome = await kv.transact(() => {});
expectType<KvTransactionResult>()(outcome);

// @ts-expect-error a value is text
await counters.set("a", 1);
// @ts-expect-error there is nothing to read inside a transaction
await kv.transact((t) => t.store("bank").get("ada"));
