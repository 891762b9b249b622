// The reminders that are still to come, in one store:
//
//   due/<time>/<id>    the reminder as JSON; in this order they fall due
//   user/<user>/<id>   where a person's own ones are
//
// Both keys are written and deleted together, so that one never points at nothing.
const book = kv.store("reminders");

export interface Reminder {
  id: string;
  user: string;
  channel: string;
  text: string;
  /** Milliseconds since 1970. */
  due: number;
}

const MOST = 20;

/** Remember a reminder; undefined when its person has as many as they may. */
export async function add(reminder: Omit<Reminder, "id">): Promise<Reminder | undefined> {
  if ((await book.count({ prefix: `user/${reminder.user}/` })) >= MOST) return undefined;
  const kept = { ...reminder, id: crypto.randomUUID().slice(0, 4) };
  const { committed } = await kv.transact((t) => {
    const s = t.store("reminders");
    s.set(ownKey(kept.user, kept.id), dueKey(kept), { ifNotExists: true });
    s.set(dueKey(kept), JSON.stringify(kept));
  });
  return committed ? kept : add(reminder); // the id was taken
}

/** A person's reminders, next first. */
export async function of(user: string): Promise<Reminder[]> {
  const { keys } = await book.list({ prefix: `user/${user}/` });
  const found = await Promise.all(keys.map(async ({ name }) => read((await book.get(name)) ?? "")));
  return found.filter((reminder) => reminder !== undefined).sort((a, b) => a.due - b.due);
}

/** Forget one of a person's reminders; whether there was one. */
export async function cancel(user: string, id: string): Promise<boolean> {
  const key = await book.get(ownKey(user, id));
  const reminder = key === null ? undefined : await read(key);
  if (reminder !== undefined) await remove(reminder);
  return reminder !== undefined;
}

/** What is due at `now`, oldest first. */
export async function dueBy(now: number, most: number): Promise<Reminder[]> {
  const { keys } = await book.list({ prefix: "due/", limit: most });
  const due = keys.filter(({ name }) => Number(name.split("/")[1]) <= now);
  const found = await Promise.all(due.map(({ name }) => read(name)));
  return found.filter((reminder) => reminder !== undefined);
}

/** The reminder was given, or cannot be. */
export async function remove(reminder: Reminder): Promise<void> {
  await kv.transact((t) => {
    const s = t.store("reminders");
    s.delete(dueKey(reminder));
    s.delete(ownKey(reminder.user, reminder.id));
  });
}

async function read(key: string): Promise<Reminder | undefined> {
  const text = key === "" ? null : await book.get(key);
  return text === null ? undefined : (JSON.parse(text) as Reminder);
}

function dueKey({ due, id }: Pick<Reminder, "due" | "id">): string {
  return `due/${String(due).padStart(15, "0")}/${id}`;
}

function ownKey(user: string, id: string): string {
  return `user/${user}/${id}`;
}
