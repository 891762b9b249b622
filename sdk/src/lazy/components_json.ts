// Components of messages and modals on their way to Discord.
export { componentsJson } from "../builders/components_json.ts";
export { modalJson } from "../builders/modal_json.ts";
