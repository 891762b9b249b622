// The weather service: https://www.weatherapi.com, which wants a key. It stands for any JSON API.

export interface Weather {
  city: string;
  celsius: number;
  sky: string;
}

/** The part of its answer that is used. */
interface Answer {
  location: { name: string; country: string };
  current: { temp_c: number; condition: { text: string } };
}

const SERVICE = "https://api.weatherapi.com";
const NO_SUCH_CITY = 1006;
const KEEP_SECONDS = 600;

const cache = kv.store("weather");

/** The weather now, or a few minutes ago; undefined when the service knows no such city. */
export async function currentWeather(name: string): Promise<Weather | undefined> {
  const city = name.trim().toLowerCase();
  const known = await cache.get(city);
  if (known !== null) return JSON.parse(known);
  const weather = await ask(city);
  if (weather !== undefined) await cache.set(city, JSON.stringify(weather), { ttl: KEEP_SECONDS });
  return weather;
}

async function ask(city: string): Promise<Weather | undefined> {
  const url = new URL("/v1/current.json", SERVICE);
  url.searchParams.set("key", secrets.get("WEATHER_KEY") ?? "");
  url.searchParams.set("q", city);
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  const answer = await response.json();
  if (answer.error?.code === NO_SUCH_CITY) return undefined;
  if (!response.ok) throw new Error(`the weather service answered ${response.status}`);
  const { location, current }: Answer = answer;
  return { city: `${location.name}, ${location.country}`, celsius: current.temp_c, sky: current.condition.text };
}
