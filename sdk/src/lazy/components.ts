// Builders of components and modals: two dozen classes. See build.mjs for what this folder means.
export * from "../builders/components.ts";
export { ModalBuilder, modal } from "../builders/modal.ts";
