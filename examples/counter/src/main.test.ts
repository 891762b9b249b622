import { expect, test } from "flora-test";
import "./main";

test("a click counts, and shows the new number", async (t) => {
  await t.bot.say("!counter");
  const { reply } = await t.bot.click("count");
  expect(reply?.kind).toBe("update");
  expect(JSON.stringify(reply?.components)).toContain("1");
});

test("counts are kept by person", async (t) => {
  await t.bot.say("!counter");
  for (const id of ["11", "12", "11"]) await t.bot.click("count", { user: { id } });
  const { reply } = await t.bot.slash("top", { by: "people" });
  const text = JSON.stringify(reply);
  expect(text.indexOf("<@11>")).toBeLessThan(text.indexOf("<@12>"));
});

test("somebody who clicks too fast is asked to wait", async (t) => {
  await t.bot.say("!counter");
  await t.discord.refuse("kvIncr", { code: "KV_RATE_LIMITED", retryAfter: 3.2 });
  await t.discord.refuse("kvTransact", { code: "KV_RATE_LIMITED", retryAfter: 3.2 });
  expect((await t.bot.click("count")).text).toBe("Too many clicks. Again in 4 s.");
});
