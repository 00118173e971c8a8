/** The orchestrator on Node, as the command line starts it. */
export type { Log, LogFields } from "./log.js";
export { DASHBOARD_PORT, leadToDashboard } from "./shell/dashboard-port.js";
export { type EmbeddedPostgres, startEmbeddedPostgres } from "./shell/embedded-postgres.js";
export { type Environment, readSettings, type Settings } from "./shell/env.js";
export {
  migrate,
  pendingMigrations,
  type RunningServer,
  raiseEpoch,
  type ServerOptions,
  startServer,
} from "./shell/node.js";
export { readOrMakeSecret } from "./shell/secret-file.js";
export { startWorkers, type WorkersOptions, type WorkersServer } from "./shell/workers.js";
