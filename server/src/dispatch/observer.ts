/** Who looks on while runs are advanced: nothing that it does or fails to do changes what becomes of them. */
import type { TerminalStatus } from "@aikirun/protocol";
import type { NotedPush } from "../core/run.js";

export interface Observer {
  /** Runs that exist from now on: children, and what clients and schedules start. */
  started(ns: string, runs: number): void;
  ended(ns: string, status: TerminalStatus): void;
  /** A run is pushed for the first time, this long after it was due. */
  firstPushed(ns: string, afterMs: number): void;
  /** A push to an endpoint is over. */
  pushed(ns: string, endpointId: string, failed: boolean, durationMs: number): void;
  /** A push that no commit remembers. */
  noted(push: NotedPush): void;
}
