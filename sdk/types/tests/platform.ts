// Builders, numbers and the web platform, without DOM.

import { expectType } from "./expect.ts";

const rows = [
  actionRow().addComponents(
    button().setCustomId("a").setLabel("A").setStyle(ButtonStyle.Danger).setEmoji("🔥").setDisabled(),
    button().setUrl("https://example.com").setLabel("B"),
  ),
  actionRow().addComponents([stringSelect("s").addOptions({ label: "x", value: "y" }).setPlaceholder("z")]),
  channelSelect("c").setChannelTypes([ChannelType.GuildText]).addDefaultChannel("1"),
  container()
    .setAccentColor(0xff0000)
    .addComponents(
      textDisplay("hi"),
      section().addComponents(textDisplay("x")).setAccessory(thumbnail("https://example.com/a.png").setSpoiler()),
      separator().setSpacing("large"),
      mediaGallery().addItem("https://example.com/a.png", { description: "x" }),
      file("attachment://x"),
    ),
];
on("messageCreate", (ctx) => ctx.reply({ components: rows, flags: MessageFlags.SUPPRESS_NOTIFICATIONS }));

expectType<ActionRowBuilder>()(actionRow());
expectType<UserSelectMenuBuilder>()(userSelect("u").setMinValues(1).setMaxValues(3));
const base: SelectMenuBuilderBase = roleSelect("r");
expectType<ComponentJson>()(base.toJSON());
expectType<RawEmbed>()(embed({ title: "x" }).addField("a", "b", true).setTimestamp(new Date()).toJSON());
expectType<2>()(ButtonStyles.Secondary);
expectType<2>()(InputTextStyles.Paragraph);
expectType<19>()(ComponentType.FileUpload);
expectType<bigint>()(Permissions.BanMembers | Permissions.PinMessages);
// @ts-expect-error constants
ButtonStyle.Primary = 2;
// @ts-expect-error not a spacing
separator().setSpacing("huge");

console.log("a", 1, {});
console.dir({}, { depth: null });
console.table([{ a: 1 }], ["a"]);

expectType<number>()(setTimeout((a: number, b: string) => void [a, b], 10, 1, "x"));
// @ts-expect-error the arguments must fit
setTimeout((a: number) => a, 10, "x");
const waited = new Promise((resolve) => setTimeout(resolve, 5));
expectType<Promise<unknown>>()(waited);
clearInterval(setInterval(() => {}, 1000));
queueMicrotask(() => {});

expectType<{ a: Date }>()(structuredClone({ a: new Date() }));
expectType<string>()(new URL("a", "https://example.com").searchParams.toString());
expectType<URL | null>()(URL.parse("x"));
for (const [name, value] of new URLSearchParams({ a: "b" })) expectType<string>()(name + value);
expectType<Uint8Array<ArrayBuffer>>()(new TextEncoder().encode("x"));
expectType<string>()(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(1), { stream: true }));
const controller = new AbortController();
expectType<boolean>()(AbortSignal.any([controller.signal, AbortSignal.timeout(5)]).aborted);
controller.signal.addEventListener("abort", (event) => expectType<Event>()(event), { once: true });
expectType<string>()(atob(btoa("x")));
expectType<Uint8Array<ArrayBuffer>>()(crypto.getRandomValues(new Uint8Array(4)));
expectType<number>()(performance.now());
expectType<number>()(new DOMException("x", "AbortError").code);

// @ts-expect-error nothing of the browser
window;
// @ts-expect-error nothing of Node
process;

const form = new FormData();
form.append("file", new Blob(["x"]), "x.txt");
expectType<FormDataEntryValue | null>()(form.get("file"));
const init: RequestInit = { method: "POST", body: form, signal: AbortSignal.timeout(5), flora: { secretsInBody: true } };
expectType<Promise<Response>>()(fetch(new URL("https://example.com"), init));
expectType<Promise<Response>>()(fetch(new Request("https://example.com", { headers: [["a", "b"]] })));
// @ts-expect-error no such way to go on
fetch("https://example.com", { redirect: "maybe" });
// @ts-expect-error there are no streams
new Response("x").body.getReader();
expectType<string[]>()(new Headers({ a: "b" }).getSetCookie());
expectType<string | undefined>()(secrets.get("KEY"));
expectType<Promise<ArrayBuffer>>()(crypto.subtle.digest("SHA-256", new Uint8Array(1)));
// @ts-expect-error keys are bytes
crypto.subtle.importKey("jwk", {}, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
