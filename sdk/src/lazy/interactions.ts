// What becomes of an interaction.
export { answerAutocomplete } from "../bot/autocomplete.ts";
export { setManners } from "../bot/unanswered.ts";
export { runInteraction } from "../events/interactions.ts";
