import { expect, test } from "flora-test";
import "./main";

test("the shelf shows what one can afford", async (t) => {
  const { reply } = await t.bot.slash("shop", { max: 7 });
  const shown = JSON.stringify(reply?.components);
  expect(shown).toContain("Tulip");
  expect(shown).toContain("Cactus");
  expect(shown.includes("Orchid")).toBe(false);
  expect((await t.bot.slash("shop", { max: 1 })).text).toBe("Nothing for 1 or less.");
});

test("a flower is chosen, counted, and ordered", async (t) => {
  await t.bot.slash("shop");
  const { modal } = await t.bot.select("choose", ["tulip"]);
  expect(modal.custom_id).toBe("order:tulip");
  const { reply } = await t.bot.submit("order:tulip", { amount: "4" }, { user: { id: "1001" } });
  expect(reply?.embeds[0].title).toBe("4 × Tulip");
  expect((await t.bot.slash("order list")).text).toBe("<@1001>: 4 × Tulip");
});

test("half a flower cannot be ordered", async (t) => {
  const { reply } = await t.bot.submit("order:tulip", { amount: "½" });
  expect(reply).toMatchObject({ ephemeral: true, content: "How many? A whole number, please." });
});
