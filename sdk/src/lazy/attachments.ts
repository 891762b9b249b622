// Files that go with messages. No global: messages with attachments load it.
export { addAttachments } from "../rest/attachments.ts";
