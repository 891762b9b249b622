// Run these with: flora test .
import { expect, test } from "flora-test";
import "./main";

test("!ping is answered", async (t) => {
  expect((await t.bot.say("!ping a b")).text).toBe("pong a b");
});

test("/hello greets by name", async (t) => {
  expect((await t.bot.slash("hello", { name: "Ann" })).text).toBe("Hello Ann!");
});
