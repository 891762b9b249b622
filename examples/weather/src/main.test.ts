import { expect, test } from "flora-test";
import "./main.ts";

const SERVICE = "https://api.weatherapi.com/*";

test("asks the service with the key, and shows what it says", async (t) => {
  await t.secrets.set("WEATHER_KEY", "k-1");
  await t.fetch.reply(SERVICE, {
    json: {
      location: { name: "Berlin", country: "Germany" },
      current: { temp_c: 21, feelslike_c: 20, wind_kph: 9, humidity: 40, condition: { text: "Sunny", icon: "//x/y.png" } },
    },
  });
  const answer = await t.bot.slash("weather", { city: "Berlin" });
  expect(JSON.stringify(answer.messages.at(-1)?.embeds)).toContain("Berlin");
  const [request] = await t.fetch.requests();
  expect(`${request?.url} ${JSON.stringify(request?.headers)}`).toContain("k-1");
});

test("says so when the service is away", async (t) => {
  await t.secrets.set("WEATHER_KEY", "k-1");
  await t.fetch.reply(SERVICE, { status: 500 });
  const answer = await t.bot.slash("weather", { city: "Berlin" });
  expect(answer.messages.at(-1)?.content).toBe("The weather service does not answer. Try again later.");
  expect(answer.logs.map((line) => line.level)).toEqual(["warn"]);
});
