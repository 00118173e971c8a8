/** Every number that dispatch obeys, in one place. Milliseconds end in `Ms`. */
export interface DispatchSettings {
  /** A holder that is not heard of for this long loses the run. */
  readonly leaseMs: number;
  /** Runs that one process advances at a time, without those that wait for a busy endpoint. */
  readonly maxHeld: number;
  /** Runs that may wait in this process for one endpoint that is at its limit; more are parked. */
  readonly maxWaiting: number;
  /** Runs taken by one claim. */
  readonly claimBatch: number;
  /** How often the store is scanned for due runs that nobody announced; when idle, the longer one. */
  readonly scanMs: number;
  /** Also how long after its lease has run out a run of a dead process may lie still. */
  readonly idleScanMs: number;
  /** Delay before the second delivery, doubled each time up to the most, lowered at random by up to half. */
  readonly retryBaseMs: number;
  readonly retryMostMs: number;
  /** A wait up to this long is spent with the lease held; a longer one parks the run. */
  readonly holdMs: number;
  /** How soon a run is looked at again whose version nobody serves; the longer it has waited, the later. */
  readonly unservedMs: number;
  readonly unservedMostMs: number;
  /** How long a worker may go on with one push. */
  readonly workerBudgetMs: number;
  /** Longest `Retry-After` that is obeyed. */
  readonly busyMostMs: number;
  /** Claims and re-pushes without a record or a park before the run stalls: it may be what kills its holders. */
  readonly maxTries: number;
  /** Children that one commit tells of their parent's cancel; more are told in commits of their own before it. */
  readonly maxTold: number;
  /** Deliveries in a row ended by the host's time, deliveries lost once sent, and time undelivered, before a run stalls. */
  readonly maxTimeouts: number;
  readonly maxLost: number;
  readonly undeliveredMs: number;
  /** First pause before the store is asked again when it is away; doubled up to a second. */
  readonly storeRetryMs: number;
}

export const DISPATCH_DEFAULTS: DispatchSettings = {
  leaseMs: 30_000,
  maxHeld: 512,
  maxWaiting: 1_000,
  claimBatch: 128,
  scanMs: 1_000,
  idleScanMs: 2_000,
  retryBaseMs: 100,
  retryMostMs: 30_000,
  holdMs: 500,
  unservedMs: 30_000,
  unservedMostMs: 5 * 60_000,
  workerBudgetMs: 24 * 60 * 60_000,
  busyMostMs: 60 * 60_000,
  maxTries: 25,
  maxTold: 500,
  maxTimeouts: 3,
  maxLost: 20,
  undeliveredMs: 24 * 60 * 60_000,
  storeRetryMs: 50,
};
