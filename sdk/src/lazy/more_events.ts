// The events that few scripts handle, and what is wrong with the name of one that does not exist.
export { ROWS, whatIsWrongWith } from "../events/more_events.ts";
