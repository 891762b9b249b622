// fetch, and what it takes and gives.
export { Blob, File } from "../web/fetch/blob.ts";
export { fetch } from "../web/fetch/fetch.ts";
export { FormData } from "../web/fetch/form_data.ts";
export { Headers } from "../web/fetch/headers.ts";
export { Request } from "../web/fetch/request.ts";
export { Response } from "../web/fetch/response.ts";
