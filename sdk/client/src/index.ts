export {
  type CallOptions,
  type Client,
  client,
  type EndpointsApi,
  type KeysApi,
  type RunsApi,
} from "./client.js";
export type { ClientOptions } from "./settings.js";
export type { WaitFailure, WaitForStatusOptions, WaitSuccess } from "./wait-for-status.js";
