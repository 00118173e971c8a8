export type { RunningWorker, StopOptions } from "./running.js";
export { type Worker, type WorkerOptions, worker } from "./worker.js";
