// What runs in every isolate before a guild's script.
import * as host from "./host.ts";

type Handler = (ctx: unknown) => unknown;
const handlers: { [event: string]: Handler[] } = { __proto__: null as never };

host.setEventSink((type, data) => {
  const name = type === "MESSAGE_CREATE" ? "messageCreate" : type;
  const list = handlers[name];
  if (!list) return undefined;
  const d = data as { id: string; channel_id: string; content: string };
  const ctx = {
    msg: { id: d.id, channelId: d.channel_id, content: d.content },
    reply: (content: string) =>
      host.op("sendMessage", { path: { channel: d.channel_id }, body: { content, message_reference: { message_id: d.id } } }),
  };
  let result: unknown;
  for (let i = 0; i < list.length; i++) result = (list[i] as Handler)(ctx);
  return result;
});

Object.assign(globalThis, {
  on(event: string, handler: Handler) {
    (handlers[event] ??= []).push(handler);
    host.declare({ events: Object.keys(handlers), own: false, commands: null });
  },
  console: { log: (...args: unknown[]) => host.log("info", args.join(" ")) },
  __floraHost: { feed: host.feed, take: host.take, loaded: host.loaded, setNotify: host.setNotify },
});
