// Secrets: a script gets placeholders, and never sees a value. The values are put in where requests leave.

import { invalidInput } from "./prelude/errors.ts";
import { configuration } from "./prelude/host.ts";
import { ObjectHasOwn } from "./prelude/primordials.ts";

export const secrets: typeof flora.secrets = {
  get(name) {
    if (typeof name !== "string") throw invalidInput("name", "should be a string");
    const { secrets: placeholders } = configuration;
    return placeholders !== undefined && ObjectHasOwn(placeholders, name) ? placeholders[name] : undefined;
  },
};
