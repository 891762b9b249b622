// Storage.
export { KvStore, kv, store } from "../kv/store.ts";
