// Storage: text by key, kept by flora until it is deleted or expires.

declare namespace flora {
  interface KvSetOptions {
    /** Seconds from now after which the value is gone. */
    ttl?: number;
    /** The same as Unix time in seconds. */
    expiration?: number | bigint;
    /** Anything small that `list` should give back with the key. */
    metadata?: JsonValue;
    /** Write only when there is a value already. */
    ifExists?: boolean;
    /** Write only when there is none. */
    ifNotExists?: boolean;
  }

  interface KvEntry<M extends JsonValue = JsonValue> {
    value: string | null;
    metadata?: M;
    /** Unix time in seconds. */
    expiration?: number;
  }

  interface KvListOptions {
    prefix?: string;
    /** `cursor` of the page before. */
    cursor?: string;
    /** 100 unless told; at most 1,000. */
    limit?: number;
  }

  interface KvPage<M extends JsonValue = JsonValue> {
    keys: { name: string; expiration?: number; metadata?: M }[];
    /** Whether there is nothing behind this page. */
    listComplete: boolean;
    cursor?: string;
  }

  interface KvStoreInfo {
    name: string;
    keys: number;
    bytes: number;
  }

  /** Stores exist from their first use. A key has up to 512 bytes, a value up to 1 MiB. */
  class KvStore {
    constructor(name: string);
    readonly name: string;
    get(key: string): Promise<string | null>;
    getWithMetadata<M extends JsonValue = JsonValue>(key: string): Promise<KvEntry<M>>;
    /** Whether it was written: not when `ifExists` or `ifNotExists` forbade it. What it replaces is gone with its metadata. */
    set(key: string, value: string, options?: KvSetOptions): Promise<boolean>;
    /** Keeps value and expiration. @throws FloraError KV_KEY_NOT_FOUND */
    updateMetadata(key: string, metadata?: JsonValue): Promise<void>;
    /** Whether there was something to delete. */
    delete(key: string): Promise<boolean>;
    /** Keys in the order of their bytes. */
    list<M extends JsonValue = JsonValue>(options?: KvListOptions): Promise<KvPage<M>>;
    count(options?: { prefix?: string }): Promise<number>;
    /** Deletes all keys (with the prefix); how many there were. */
    clear(options?: { prefix?: string }): Promise<number>;
    /** Adds `by` (1) to the whole number at `key` (0), all at once; the sum. */
    incr(key: string, by?: number, options?: KvSetOptions): Promise<number>;
    /** Writes `value` (null: deletes) only when the present value is `expected` (null: none); whether it did. */
    compareAndSet(
      key: string,
      expected: string | null,
      value: string | null,
      options?: KvSetOptions,
    ): Promise<boolean>;
  }

  /** The calls of a store, which are made together or not at all. */
  interface KvTransactionStore {
    set(key: string, value: string, options?: KvSetOptions): void;
    delete(key: string): void;
    incr(key: string, by?: number, options?: KvSetOptions): void;
    compareAndSet(key: string, expected: string | null, value: string | null, options?: KvSetOptions): void;
    updateMetadata(key: string, metadata?: JsonValue): void;
    /** Goes on only when the value is `expected` (null: none). */
    check(key: string, expected: string | null): void;
  }

  interface KvTransactionResult {
    /** False when a condition was not met: then nothing was written. */
    committed: boolean;
    /** What each step answered, up to the one that stopped it. */
    results: (boolean | number | null)[];
  }

  const kv: {
    store(name: string): KvStore;
    /** The guild's stores that hold something. */
    stores(): Promise<KvStoreInfo[]>;
    /** Up to 64 steps on any of the guild's stores, all or nothing. */
    transact(
      describe: (transaction: { store(name: string): KvTransactionStore }) => void,
    ): Promise<KvTransactionResult>;
  };

  /** The same as `kv.store`. */
  function store(name: string): KvStore;
}
