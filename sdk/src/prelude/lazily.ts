// The parts of the SDK that run when a script first needs them, for the SDK itself: see `surface.ts`.

declare function require(module: string): never;

type MoreEvents = typeof import("../lazy/more_events.ts");
type ComponentsJson = typeof import("../lazy/components_json.ts");
type Interactions = typeof import("../lazy/interactions.ts");

/** The rarer events, once some handler wanted one of them. */
export let moreEvents: MoreEvents | undefined;
let componentsJson: ComponentsJson | undefined;
let interactions: Interactions | undefined;

export function needMoreEvents(): MoreEvents {
  moreEvents ??= require("../lazy/more_events.ts") as MoreEvents;
  return moreEvents;
}

export function needInteractions(): Interactions {
  interactions ??= require("../lazy/interactions.ts") as Interactions;
  return interactions;
}

export function needComponentsJson(): ComponentsJson {
  componentsJson ??= require("../lazy/components_json.ts") as ComponentsJson;
  return componentsJson;
}
