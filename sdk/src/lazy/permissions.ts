// The bits of permissions: fifty strings.
export { Permissions } from "../builders/permissions.ts";
