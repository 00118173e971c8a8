/** What everybody in a world sees of it. */
import type { Row } from "../src/store/memory-row.js";
import type { Faults } from "./faults.js";
import type { Random } from "./random.js";
import type { Replica } from "./replica.js";
import type { Scheduler } from "./scheduler.js";

export interface Surroundings {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly replicas: readonly Replica[];
  readonly rows: ReadonlyMap<string, Row>;
  readonly leaseMs: number;
  /** The pool of this world's workers, when they have one. */
  readonly pool: string | undefined;
  /** The database's clock. */
  now(): number;
  /** A number that nobody else gets. */
  fresh(): number;
  /** Ends the world: a promise is broken, or the simulation itself is. */
  fail(error: unknown): void;
}

export const NS = "default";
