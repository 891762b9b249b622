// URLs.
export { URL } from "../web/url.ts";
export { URLSearchParams } from "../web/url_search_params.ts";
