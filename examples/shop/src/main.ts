// A small flower shop: slash options, a select, a modal, and components v2.
import { catalog, find } from "./catalog";
import { orderForm, receipt, shelf } from "./views";

const orders = new Map<string, { item: string; amount: number }>();

const shop = slash({
  name: "shop",
  description: "What there is to buy",
  options: [
    { name: "max", description: "Highest price", type: "integer", minValue: 1 },
    {
      name: "sort",
      description: "What comes first",
      type: "string",
      choices: [
        { name: "cheapest", value: "price" },
        { name: "by name", value: "name" },
      ],
    },
  ],
  async run(ctx) {
    const { max, sort } = ctx.options;
    const items = catalog
      .filter((item) => max === undefined || item.price <= max)
      .sort((a, b) => (sort === "name" ? a.name.localeCompare(b.name) : a.price - b.price));
    if (items.length === 0) return ctx.reply({ content: `Nothing for ${max} or less.`, ephemeral: true });
    await ctx.reply({ components: shelf(items) });
  },
});

const order = slash({
  name: "order",
  description: "Orders",
  subcommands: [
    {
      name: "add",
      description: "Order something",
      options: [
        {
          name: "item",
          description: "What",
          type: "string",
          required: true,
          choices: catalog.map((item) => ({ name: item.name, value: item.id })),
        },
        { name: "amount", description: "How many", type: "integer", required: true, minValue: 1, maxValue: 99 },
      ],
      run: (ctx) => ctx.reply(receipt(ctx.options.item, ctx.options.amount)),
    },
    {
      name: "list",
      description: "What was ordered",
      run(ctx) {
        const lines = [...orders].map(([user, { item, amount }]) => `<@${user}>: ${amount} × ${find(item)?.name}`);
        return ctx.reply(lines.length > 0 ? lines.join("\n") : "No orders yet.");
      },
    },
  ],
});

createBot({ slashCommands: [shop, order] });

on("componentInteraction", async (ctx) => {
  if (ctx.msg.data.custom_id !== "choose") return;
  const item = find(ctx.msg.data.values?.[0]);
  if (item) await ctx.showModal(orderForm(item));
});

on("modalSubmit", async (ctx) => {
  const [kind, id] = ctx.msg.data.custom_id.split(":");
  if (kind !== "order" || id === undefined) return;
  const amount = Number(ctx.fields.amount);
  if (!Number.isInteger(amount) || amount < 1) {
    return ctx.reply({ content: "How many? A whole number, please.", ephemeral: true });
  }
  orders.set(ctx.msg.user.id, { item: id, amount });
  await ctx.reply(receipt(id, amount));
});
