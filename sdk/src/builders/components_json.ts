// Checks components and brings them into the form Discord takes, with the original host's rules and words:
// bare buttons and selects get a row, names become numbers, defaults of selects become one list.

import { type FloraError, invalidInput } from "../prelude/errors.ts";
import { fromBuilder } from "../prelude/json.ts";
import { ArrayIsArray, RegExpExec, append, isObject, mapList } from "../prelude/primordials.ts";
import { ComponentType } from "./enums.ts";

type Json = Record<string, unknown> & { type: number };

const {
  ActionRow,
  Button,
  StringSelect,
  InputText,
  UserSelect,
  ChannelSelect,
  Section,
  TextDisplay,
  Thumbnail,
  MediaGallery,
  File,
  Separator,
  Container,
  Label,
  FileUpload,
} = ComponentType;

/** The last of Discord's components that only a label may hold (radio group, checkbox group, checkbox). */
const LAST_INPUT = 23;

function wrong(reason: string): FloraError {
  return invalidInput("components", reason);
}

function need(value: unknown, what: string): void {
  if (typeof value !== "string") throw wrong(what);
}

/** A copy of a component that may be a builder. */
function open(component: unknown): Json {
  const json = fromBuilder(component);
  if (!isObject(json) || typeof (json as Json).type !== "number") throw wrong("Component missing numeric type");
  return { __proto__: null, ...(json as Json) } as Json;
}

function isSelect(type: number): boolean {
  return type === StringSelect || (type >= UserSelect && type <= ChannelSelect);
}

/** Components of a message, and whether they need the components-v2 flag. */
export function componentsJson(components: readonly unknown[]): { json: unknown[]; v2: boolean } {
  let v2 = false;
  const json = mapList(components, (component) => {
    const c = open(component);
    if (c.type === Button || isSelect(c.type)) return { type: ActionRow, components: [rowChild(c)] };
    if (c.type === ActionRow) return row(c, "action row");
    v2 = true;
    if (c.type === Thumbnail) throw wrong("Thumbnail components are only valid as section accessories");
    if (c.type === Container) return container(c);
    if (c.type === Label) return label(c);
    return block(c) ?? fail(`Unsupported component type ${c.type}`);
  });
  return { json, v2 };
}

/** A component of a modal: a label, some text, or a row with one text input as modals once had. */
export function modalComponentJson(component: unknown): unknown {
  const c = open(component);
  if (c.type === Label) return label(c);
  if (c.type === TextDisplay) return text(c);
  if (c.type === InputText) throw wrong("A text input needs a label(): label(text).setComponent(inputText(id))");
  if (c.type !== ActionRow) throw wrong(`Unsupported modal component type ${c.type}`);
  c.components = mapList(children(c), (child) => {
    const input = open(child);
    if (input.type !== InputText) throw wrong(`Unsupported modal row component type ${input.type}`);
    return textInput(input);
  });
  return c;
}

function fail(reason: string): never {
  throw wrong(reason);
}

function children(c: Json): unknown[] {
  if (!ArrayIsArray(c.components)) throw wrong("Component missing components");
  return c.components;
}

function row(c: Json, where: string): Json {
  const buttons: Json[] = [];
  const selects: Json[] = [];
  const inside = children(c);
  for (let i = 0; i < inside.length; i++) {
    const child = open(inside[i]);
    if (child.type !== Button && !isSelect(child.type))
      throw wrong(`Unsupported ${where} component type ${child.type}`);
    append(child.type === Button ? buttons : selects, rowChild(child));
  }
  if (selects.length > 1) throw wrong("Action row supports only one select menu");
  // As ever: beside a select, buttons are dropped.
  c.components = selects.length === 1 ? selects : buttons;
  return c;
}

function rowChild(c: Json): Json {
  return c.type === Button ? button(c) : select(c);
}

function button(c: Json): Json {
  c.style ??= 1;
  if (c.style === 5) need(c.url, "Link button requires url");
  else if (c.style !== 6) need(c.custom_id, "Button requires custom_id");
  else {
    need(c.sku_id, "Premium button requires sku_id");
    if (RegExpExec(/^\d+$/, c.sku_id as string) === null) throw wrong("Invalid sku_id");
  }
  if (c.emoji !== undefined) c.emoji = emoji(c.emoji);
  return c;
}

const DEFAULTS = { default_users: "user", default_roles: "role", default_channels: "channel" } as const;

function select(c: Json): Json {
  need(c.custom_id, "Select menu requires custom_id");
  if (c.type === StringSelect) {
    if (!ArrayIsArray(c.options)) throw wrong("String select requires options");
    c.options = mapList(c.options, selectOption);
  }
  addDefaults(c, "default_users");
  addDefaults(c, "default_roles");
  addDefaults(c, "default_channels");
  return c;
}

function selectOption(option: unknown): unknown {
  if (!isObject(option)) throw wrong("Select option must be an object");
  const o = { __proto__: null, ...option } as unknown as Json;
  need(o.label, "Select option requires label");
  need(o.value, "Select option requires value");
  if (o.emoji !== undefined) o.emoji = emoji(o.emoji);
  return o;
}

function addDefaults(c: Json, key: keyof typeof DEFAULTS): void {
  const ids = c[key];
  if (!ArrayIsArray(ids)) return;
  const values = ArrayIsArray(c.default_values) ? mapList(c.default_values, (value) => value) : [];
  for (let i = 0; i < ids.length; i++) append(values, { id: ids[i], type: DEFAULTS[key] });
  c.default_values = values;
  delete c[key];
}

/** What may stand alone in a message and in a container; undefined for anything else. */
function block(c: Json): Json | undefined {
  switch (c.type) {
    case Section:
      return section(c);
    case TextDisplay:
      return text(c);
    case MediaGallery:
      if (!ArrayIsArray(c.items)) throw wrong("Media gallery requires items");
      c.items = mapList(c.items, media);
      return c;
    case File:
      if (!isObject(c.file)) throw wrong("File requires file");
      need((c.file as Json).url, "File requires url");
      return c;
    case Separator:
      return separator(c);
    default:
      return undefined;
  }
}

function text(c: Json): Json {
  need(c.content, "Text display requires content");
  return c;
}

function section(c: Json): Json {
  c.components = mapList(children(c), (child) => {
    const display = open(child);
    if (display.type !== TextDisplay) throw wrong(`Unsupported section component type ${display.type}`);
    return text(display);
  });
  if (!isObject(c.accessory)) throw wrong("Section requires accessory");
  const accessory = open(c.accessory);
  if (accessory.type === Button) c.accessory = button(accessory);
  else if (accessory.type === Thumbnail) c.accessory = media(accessory);
  else throw wrong(`Unsupported section accessory type ${accessory.type}`);
  return c;
}

function media<T>(item: T): T {
  if (!isObject(item) || !isObject((item as Json).media)) throw wrong("Media item requires media");
  need(((item as Json).media as Json).url, "Media item requires url");
  return item;
}

function separator(c: Json): Json {
  if (typeof c.divider !== "boolean") throw wrong("Separator requires divider");
  if (c.spacing === "small") c.spacing = 1;
  else if (c.spacing === "large") c.spacing = 2;
  else if (c.spacing !== undefined && typeof c.spacing !== "number") throw wrong("Invalid separator spacing");
  return c;
}

function container(c: Json): Json {
  c.components = mapList(children(c), (component) => {
    const child = open(component);
    if (child.type === ActionRow) return row(child, "container action row");
    return block(child) ?? fail(`Unsupported container component type ${child.type}`);
  });
  return c;
}

function label(c: Json): Json {
  need(c.label, "Label requires label");
  const child = open(c.component);
  if (isSelect(child.type)) c.component = select(child);
  else if (child.type === InputText) c.component = textInput(child);
  else if (child.type >= FileUpload && child.type <= LAST_INPUT) {
    need(child.custom_id, "File upload requires custom_id");
    c.component = child;
  } else throw wrong(`Unsupported label component type ${child.type}`);
  return c;
}

function textInput(c: Json): Json {
  need(c.custom_id, "Text input requires custom_id");
  c.style ??= 1;
  return c;
}

/** `🔥`, `<:name:id>` and `<a:name:id>` as Discord's partial emoji; objects stay. */
function emoji(value: unknown): unknown {
  if (typeof value !== "string") {
    if (!isObject(value)) throw wrong("Invalid emoji");
    return value;
  }
  if (value === "") throw wrong("Invalid emoji string");
  if (value[0] !== "<") return { name: value };
  const custom = RegExpExec(/^<(a?):(\w+):(\d+)>$/, value);
  if (custom === null) throw wrong("Invalid emoji string");
  return { id: custom[3], name: custom[2], animated: custom[1] === "a" };
}
