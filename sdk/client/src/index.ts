export { type Client, client } from "./client.js";
export type { ClientOptions } from "./settings.js";
export type { WaitOptions } from "./wait-for-end.js";
