/** For what serves workflows: `@aikirun/workflow/replay`. User code imports `@aikirun/workflow`. */
export { type ContextSource, makeContext } from "../context.js";
export { defaultHost } from "../default-host.js";
export { consoleLogger, type Logger } from "../logger.js";
export { check } from "../schema.js";
export type { ServableVersion } from "../workflow.js";
export type { Perform } from "./attempt.js";
export {
  type Checkpoint,
  type Checkpointed,
  compare,
  type ExecuteOptions,
  type Execution,
  execute,
} from "./execute.js";
export { History } from "./history.js";
export type { Host } from "./host.js";
