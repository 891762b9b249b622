import { beforeEach, expect, test } from "flora-test";
import "./main";

const moderator = { user: { id: "1001", username: "ada" } };
const member = { id: "1002", username: "bob", permissions: "0" };

beforeEach(async (t) => {
  await t.discord.reply("listChannels", [{ id: "9", name: "mod-log", type: 0 }]);
  await t.discord.reply("listRoles", []);
});

test("slow mode is set, with who asked as the reason", async (t) => {
  const { text, calls } = await t.bot.slash("slowmode", { seconds: 5 }, moderator);
  expect(text).toBe("One message in 5 s.");
  const edited = calls.find(({ name }) => name === "editChannel");
  expect(edited?.body).toEqual({ rate_limit_per_user: 5 });
  expect(edited?.reason).toContain("ada: ");
});

test("who has no right to it is refused, though the command was shown", async (t) => {
  const { reply, calls } = await t.bot.slash("slowmode", { seconds: 5 }, { user: member });
  expect(reply).toMatchObject({ ephemeral: true, content: "You may not do that here." });
  expect(calls.some(({ name }) => name === "editChannel")).toBe(false);
});

test("the third warning is a time-out", async (t) => {
  const warn = () => t.bot.slash("warn", { who: member, reason: "noise" }, moderator);
  expect((await warn()).messages.at(-1)?.content).toContain("1 of 3");
  await warn();
  const { messages, calls } = await warn();
  expect(messages.at(-1)?.content).toContain("3 warnings, and 60 min");
  expect(calls.some(({ name }) => name === "editMember")).toBe(true);
  expect((await t.bot.slash("warnings", { who: member }, moderator)).text).toContain("ada: noise");
});

test("an invite to elsewhere is deleted", async (t) => {
  const { calls } = await t.bot.say("come to discord.gg/elsewhere", { user: member });
  expect(calls.map(({ name }) => name)).toContain("deleteMessage");
});
