import { type Item, find } from "./catalog";

/** The shelf: a container with a line for each item, and a select below. */
export function shelf(items: readonly Item[]) {
  const choose = stringSelect("choose").setPlaceholder("Choose a flower");
  const box = container().setAccentColor(0x57a773);
  for (const item of items) {
    box.addComponents(textDisplay(`**${item.name}** (${item.price} €)\n${item.description}`));
    choose.addOptions({ label: item.name, value: item.id, description: `${item.price} €` });
  }
  return [box.addComponents(separator(), actionRow().addComponents(choose))];
}

/** Asks how many. */
export function orderForm(item: Item) {
  const amount = inputText("amount").setStyle(InputTextStyle.Short).setMinLength(1).setMaxLength(2);
  return modal()
    .setCustomId(`order:${item.id}`)
    .setTitle(`Order ${item.name}`)
    .addComponents(label("How many?").setComponent(amount));
}

/** What was bought, as an embed. */
export function receipt(id: string, amount: number) {
  const item = find(id);
  if (!item) return { content: "That is not in the shop.", ephemeral: true };
  return {
    embeds: [
      embed()
        .setTitle(`${amount} × ${item.name}`)
        .setDescription(`${amount * item.price} € in all`)
        .setColor(0x57a773),
    ],
  };
}
