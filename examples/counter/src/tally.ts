// What is counted: in all, by person, by channel. Every click is counted in all three places or in none, and no
// click is lost, however many arrive at once: the adding happens in flora, not here.
const totals = kv.store("totals");
const people = kv.store("people");
const channels = kv.store("channels");

/** What a leaderboard is made of. */
export interface Score {
  id: string;
  clicks: number;
}

/** Count a click; how many there are now in all. */
export async function count(user: string, channel: string): Promise<number> {
  const { results } = await kv.transact((t) => {
    t.store("totals").incr("clicks");
    t.store("people").incr(user);
    t.store("channels").incr(channel);
  });
  return Number(results[0]);
}

/** How many clicks there are in all. */
export async function total(): Promise<number> {
  return Number((await totals.get("clicks")) ?? 0);
}

/** Those with the most clicks, most first. */
export async function best(of: "people" | "channels", most = 5): Promise<Score[]> {
  const board = of === "people" ? people : channels;
  const { keys } = await board.list({ limit: 200 });
  const scores = await Promise.all(
    keys.map(async ({ name }) => ({ id: name, clicks: Number((await board.get(name)) ?? 0) })),
  );
  return scores.sort((a, b) => b.clicks - a.clicks).slice(0, most);
}

/** Begin anew; how many people had clicked. */
export async function reset(): Promise<number> {
  const [clickers] = await Promise.all([people.clear(), channels.clear(), totals.clear()]);
  return clickers;
}
