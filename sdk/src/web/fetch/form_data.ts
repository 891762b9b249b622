// FormData, after https://xhr.spec.whatwg.org/#interface-formdata.

import {
  ReflectApply,
  StringIntrinsic,
  StringToWellFormed,
  TypeErrorIntrinsic,
  append,
  isObject,
} from "../../prelude/primordials.ts";
import { type Blob, File, isBlob, isFile } from "./blob.ts";

type Value = string | File;

export interface Field {
  readonly name: string;
  readonly value: Value;
}

export let fieldsOf: (form: FormData) => Field[];
export let isFormData: (value: unknown) => value is FormData;

export class FormData {
  #fields: Field[] = [];

  static {
    fieldsOf = (form) => form.#fields;
    isFormData = (value): value is FormData => isObject(value) && #fields in value;
  }

  append(name: string, value: string | Blob, filename?: string): void {
    append(this.#fields, fieldOf(name, value, filename));
  }

  delete(name: string): void {
    this.#fields = this.#without(well(name));
  }

  get(name: string): Value | null {
    return this.#find(well(name))?.value ?? null;
  }

  getAll(name: string): Value[] {
    const key = well(name);
    const out: Value[] = [];
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i] as Field;
      if (field.name === key) append(out, field.value);
    }
    return out;
  }

  has(name: string): boolean {
    return this.#find(well(name)) !== undefined;
  }

  set(name: string, value: string | Blob, filename?: string): void {
    const field = fieldOf(name, value, filename);
    const first = this.#find(field.name);
    if (first === undefined) {
      append(this.#fields, field);
      return;
    }
    const kept: Field[] = [];
    for (let i = 0; i < this.#fields.length; i++) {
      const other = this.#fields[i] as Field;
      if (other === first) append(kept, field);
      else if (other.name !== field.name) append(kept, other);
    }
    this.#fields = kept;
  }

  forEach(visit: (value: Value, name: string, form: this) => void, self?: unknown): void {
    if (typeof visit !== "function") throw new TypeErrorIntrinsic("forEach() takes a function");
    for (let i = 0; i < this.#fields.length; i++) {
      const { name, value } = this.#fields[i] as Field;
      ReflectApply(visit, self, [value, name, this]);
    }
  }

  *entries(): Generator<[string, Value], undefined, unknown> {
    for (let i = 0; i < this.#fields.length; i++) {
      const { name, value } = this.#fields[i] as Field;
      yield [name, value];
    }
    return undefined;
  }

  *keys(): Generator<string, undefined, unknown> {
    for (let i = 0; i < this.#fields.length; i++) yield (this.#fields[i] as Field).name;
    return undefined;
  }

  *values(): Generator<Value, undefined, unknown> {
    for (let i = 0; i < this.#fields.length; i++) yield (this.#fields[i] as Field).value;
    return undefined;
  }

  [Symbol.iterator](): Generator<[string, Value], undefined, unknown> {
    return this.entries();
  }

  #find(name: string): Field | undefined {
    for (let i = 0; i < this.#fields.length; i++) {
      if ((this.#fields[i] as Field).name === name) return this.#fields[i];
    }
    return undefined;
  }

  #without(name: string): Field[] {
    const kept: Field[] = [];
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i] as Field;
      if (field.name !== name) append(kept, field);
    }
    return kept;
  }
}

function fieldOf(name: string, value: string | Blob, filename: string | undefined): Field {
  const key = well(name);
  if (!isBlob(value)) {
    if (filename !== undefined) throw new TypeErrorIntrinsic("only a Blob or File can have a file name");
    return { name: key, value: well(value) };
  }
  return { name: key, value: isFile(value) && filename === undefined ? value : asFile(value, filename) };
}

function asFile(blob: Blob, filename: string | undefined): File {
  return new File([blob], filename === undefined ? "blob" : filename, { type: blob.type });
}

function well(value: unknown): string {
  return StringToWellFormed(StringIntrinsic(value));
}
