/**
 * The orchestrator's parts for `@aikirun/testing`: without HTTP, without Postgres, and with time handed in. Nothing here
 * or below knows a runtime.
 */
export { inProcessClient } from "./api/in-process.js";
export type { CheckpointOutcome } from "./dispatch/checkpoint.js";
export type { Delivery, DeliveryOutcome, Route } from "./dispatch/delivery.js";
export { Dispatcher } from "./dispatch/dispatcher.js";
export { DISPATCH_DEFAULTS } from "./dispatch/settings.js";
export type { Timers } from "./dispatch/timers.js";
export { memoryStore } from "./store/memory.js";
export type { Store } from "./store/port.js";
