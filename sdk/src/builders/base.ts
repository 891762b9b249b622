// What builders have in common.

import { ArrayIsArray, append, mapList } from "../prelude/primordials.ts";
import { fromBuilder } from "../prelude/json.ts";

type Json = flora.ComponentJson;
type Like = flora.ComponentLike;

/** A component that is one flat object. */
export class Flat {
  protected data: Json;

  constructor(data: Json) {
    this.data = data;
  }

  protected put(key: string, value: unknown): this {
    this.data[key] = value as flora.JsonValue;
    return this;
  }

  toJSON(): Json {
    return { ...this.data };
  }
}

/** A component with others inside. */
export class Parent extends Flat {
  #children: Like[] = [];

  // The original declared a list and took arguments one by one: both are understood.
  addComponents(...components: (Like | readonly Like[])[]): this {
    for (let i = 0; i < components.length; i++) this.#add(components[i] as Like | readonly Like[]);
    return this;
  }

  setComponents(components: readonly Like[]): this {
    this.#children = [];
    this.#add(components);
    return this;
  }

  #add(component: Like | readonly Like[]): void {
    if (ArrayIsArray(component)) for (let i = 0; i < component.length; i++) this.#add(component[i] as Like);
    else append(this.#children, component as Like);
  }

  override toJSON(): Json {
    return { ...this.data, components: mapList(this.#children, fromBuilder) as Json[] };
  }
}
