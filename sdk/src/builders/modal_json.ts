// Modals as Discord's JSON.

import { invalidInput } from "../prelude/errors.ts";
import { fromBuilder } from "../prelude/json.ts";
import { isObject, mapList } from "../prelude/primordials.ts";
import { modalComponentJson } from "./components_json.ts";

/** A modal, however it was written, as Discord's JSON. */
export function modalJson(input: unknown): unknown {
  if (!isObject(input)) throw invalidInput("modal", "must be a modal() or an object");
  const json = fromBuilder(input) as flora.ModalOptions & { custom_id?: string };
  const custom_id = json.customId ?? json.custom_id;
  if (typeof custom_id !== "string" || custom_id === "")
    throw invalidInput("modal.customId", "must be a non-empty string");
  if (typeof json.title !== "string" || json.title === "")
    throw invalidInput("modal.title", "must be a non-empty string");
  if (!json.components?.length) throw invalidInput("modal.components", "a modal needs at least one component");
  return { custom_id, title: json.title, components: mapList(json.components, modalComponentJson) };
}
