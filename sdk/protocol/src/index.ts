export * from "./api.js";
export * from "./base64url.js";
export * from "./canonical.js";
export type { StartRunOutcome, WorkflowClient } from "./client.js";
export * from "./commands.js";
export * from "./history.js";
export * from "./public-key.js";
export * from "./push.js";
export * from "./values.js";
