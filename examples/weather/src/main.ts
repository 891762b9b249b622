// The weather of a city, from a service that wants a key: fetch and a secret.

import { describe } from "./report.ts";
import { currentWeather } from "./service.ts";

createBot({
  slashCommands: [
    slash({
      name: "weather",
      description: "How is the weather?",
      options: [{ name: "city", description: "Where", type: "string", required: true, maxLength: 80 }],
      async run(ctx) {
        await ctx.defer(); // somebody else's server may take longer than Discord waits
        await ctx.reply(await answer(ctx.options.city));
      },
    }),
  ],
});

async function answer(city: string) {
  try {
    const weather = await currentWeather(city);
    return weather === undefined ? `I know no city called ${city}.` : { embeds: [describe(weather)] };
  } catch (error) {
    console.warn("weather:", (error as Error).message);
    if (error instanceof FloraError && error.code === "FETCH_RATE_LIMITED") return "Too many questions. In a minute?";
    return "The weather service does not answer. Try again later.";
  }
}
