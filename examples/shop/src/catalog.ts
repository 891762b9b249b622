export interface Item {
  readonly id: string;
  readonly name: string;
  readonly price: number;
  readonly description: string;
}

export const catalog: readonly Item[] = [
  { id: "tulip", name: "Tulip", price: 3, description: "A red one" },
  { id: "orchid", name: "Orchid", price: 12, description: "Wants light and patience" },
  { id: "cactus", name: "Cactus", price: 7, description: "Wants nothing" },
];

export const find = (id: string | undefined) => catalog.find((item) => item.id === id);
