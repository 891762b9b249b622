// What runs in every isolate before a guild's script. The order matters: the built-ins are taken as V8
// made them, then hardened, and only then is anything shown to scripts.

import "./primordials.ts";
import "./harden.ts";
import "./unpack.ts";
import "../events/table.ts";
import { lazySdk, lazyWeb, sdk, web } from "../surface.ts";
import { configure, feed, loaded, setNotify, take } from "./host.ts";
import { define, defineLazily } from "./globals.ts";

const flora = {};
define(sdk, globalThis, flora);
define(web, globalThis);
for (let i = 0; i < lazySdk.length; i++) defineLazily(lazySdk[i] as (typeof lazySdk)[0], globalThis, flora);
for (let i = 0; i < lazyWeb.length; i++) defineLazily(lazyWeb[i] as (typeof lazyWeb)[0], globalThis);

// The worker takes the last of these and then deletes the property, before it evaluates the bundle.
define({ flora, __floraHost: { feed, take, loaded, setNotify, configure } }, globalThis);
