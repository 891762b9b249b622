import { describe, expect, test } from "flora-test";
import "./main";

const ada = { user: { id: "1001", username: "ada" } };
const bob = { user: { id: "1002", username: "bob" } };

describe("/remind", () => {
  test("says when", async (t) => {
    const answer = await t.bot.slash("remind", { in: "10m", text: "tea" }, ada);
    const due = Math.floor(t.clock.now.getTime() / 1000) + 600;
    expect(answer.text).toContain(`<t:${due}:R>`);
  });

  test("wants a time that it understands", async (t) => {
    const answer = await t.bot.slash("remind", { in: "soon", text: "tea" });
    expect(answer.reply).toMatchObject({ ephemeral: true, content: "In how long? Write 10m, 1h30m or 7d; a year at most." });
  });

  test("wants both options", async (t) => {
    await expect(t.bot.slash("remind", { in: "10m" })).rejects.toThrow("wants the option text");
  });
});

describe("a reminder", () => {
  test("comes once, when it is due, to the one who asked", async (t) => {
    await t.bot.slash("remind", { in: "10m", text: "tea" }, ada);
    expect((await t.clock.advance("9m")).messages).toHaveLength(0);
    const due = await t.clock.advance("2m");
    expect(due.messages.map((message) => message.content)).toEqual(["<@1001> tea"]);
    expect(due.reply?.body.allowed_mentions).toEqual({ users: ["1001"] });
    expect((await t.clock.advance("1h")).messages).toHaveLength(0);
  });

  test("is tried again while Discord is away", async (t) => {
    await t.bot.slash("remind", { in: "1m", text: "tea" });
    await t.discord.refuse("sendMessage", { status: 503, message: "Service Unavailable" });
    await expect(t.clock.advance("2m")).rejects.toThrow("Service Unavailable");
    await t.discord.reply("sendMessage", { id: "1", channel_id: "2" });
    expect((await t.clock.advance("1m")).text).toContain("tea");
  });

  test("can be cancelled by its owner alone", async (t) => {
    const id = /`(\w+)`/.exec((await t.bot.slash("remind", { in: "1h", text: "tea" }, ada)).text ?? "")?.[1] ?? "";
    expect((await t.bot.slash("reminders cancel", { id }, bob)).text).toBe("You have none of that id.");
    expect((await t.bot.slash("reminders list", {}, ada)).text).toContain("tea");
    expect((await t.bot.slash("reminders cancel", { id }, ada)).text).toBe("Forgotten.");
    expect((await t.bot.slash("reminders list", {}, ada)).text).toBe("Nothing to come.");
  });
});
