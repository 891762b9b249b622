// Lazy modules that other modules need too. An import would copy one into the other, or have both run when the
// isolate starts; through these each is run when it is first needed, and once.

declare function require(module: string): never;

export const fetchModule = (): typeof import("./lazy/fetch.ts") => require("./lazy/fetch.ts");
export const subtleModule = (): typeof import("./lazy/subtle.ts") => require("./lazy/subtle.ts");
export const urlsModule = (): typeof import("./lazy/urls.ts") => require("./lazy/urls.ts");
export const webModule = (): typeof import("./lazy/web.ts") => require("./lazy/web.ts");
