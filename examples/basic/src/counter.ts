// In memory: gone when the isolate goes. Storage that stays is another matter.
export const clicks = { total: 0 };

export function counter() {
  return {
    content: clicks.total === 0 ? "Not clicked yet" : `Clicked ${clicks.total} times`,
    components: [actionRow().addComponents(button().setCustomId("count").setLabel("Click me").setStyle(ButtonStyle.Primary))],
  };
}
