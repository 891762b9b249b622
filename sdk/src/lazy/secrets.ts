// Secrets, as far as a script may know them.
export { secrets } from "../secrets.ts";
