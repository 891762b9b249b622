// How the weather is shown.

import type { Weather } from "./service.ts";

const COLD = 0x3498db;
const MILD = 0x2ecc71;
const HOT = 0xe67e22;

export function describe({ city, celsius, sky }: Weather) {
  const fahrenheit = Math.round((celsius * 9) / 5 + 32);
  return embed()
    .setTitle(city)
    .setDescription(sky)
    .setColor(celsius < 8 ? COLD : celsius < 25 ? MILD : HOT)
    .addField("Temperature", `${celsius} °C (${fahrenheit} °F)`, true);
}
