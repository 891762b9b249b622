// What makes V8's built-ins fit for other people's code. The worker limits CPU time by asking V8 to stop,
// and memory by looking at it when V8 collects garbage; some built-ins hear neither. This module, which
// runs before anything else but `primordials.ts`, takes away those that no bot needs and puts limits in
// front of the others. The modules beside it say how; `docs` and tests say what a script notices: nothing,
// or a RangeError where a value "is too large for this runtime".
//
// What it cannot reach is syntax (spreading a text of 8 MiB into an object) and what takes some single
// native step of a second on such a text. The worker then parks the isolate's thread and is replaced.

import { hardenArrays } from "../harden/arrays.ts";
import { hardenBuffers } from "../harden/buffers.ts";
import { hardenCode } from "../harden/code.ts";
import { hardenIntl } from "../harden/intl.ts";
import { rememberProxies } from "../harden/receivers.ts";
import { hardenTexts } from "../harden/texts.ts";

// Memory outside every limit, and waiting that nothing ends. Temporal too formats in memory that V8 does not
// see, and wrapping it as Intl is wrapped would cost every isolate 90 KiB, because V8 makes it when touched.
for (const name of ["WebAssembly", "SharedArrayBuffer", "Atomics", "Temporal"]) {
  delete (globalThis as Record<string, unknown>)[name];
}
delete (Date.prototype as { toTemporalInstant?: unknown }).toTemporalInstant;
rememberProxies();
hardenArrays();
hardenTexts();
hardenBuffers();
hardenIntl();
hardenCode();
