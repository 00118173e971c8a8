/**
 * Fires schedules. Any number of processes do this on one database, and a host that only wakes now and then can call
 * `fireSchedules` alone: the schedule's fence makes one fire of what several decide, a run's id follows from its
 * schedule and instant, and the database's clock says when an instant has come.
 */
import { type Firing, fireDue, type ScheduleState } from "../core/schedule.js";
import { type RunStore, type ScheduleStore, StoreUnavailable, type UpcomingCursor } from "../store/port.js";
import { DISPATCH_DEFAULTS, type DispatchSettings } from "./settings.js";
import { realTimers, type Timers } from "./timers.js";

export type FiringStore = Pick<ScheduleStore, "upcomingSchedules" | "fire"> & Pick<RunStore, "now">;

export interface FireOptions {
  readonly store: FiringStore;
  /** Called after each fire that this process made. */
  readonly fired?: (firing: Firing) => void;
  /** A schedule that cannot be fired: a bug, or a time zone that this runtime lacks. The others go on. */
  readonly onError?: (error: unknown, scheduleId: string | undefined) => void;
}

/** Schedules read by one statement, and fired at the same time. */
const PAGE = 64;

/**
 * Fires everything that is due now. Returns the earliest instant to come that it saw: undefined when there is none.
 * Throws `StoreUnavailable` when it cannot read; what it cannot write stays due.
 */
export async function fireSchedules(options: FireOptions): Promise<number | undefined> {
  const { store } = options;
  let earliest = Number.POSITIVE_INFINITY;
  let after: UpcomingCursor | undefined;
  for (;;) {
    const page = await store.upcomingSchedules(after, PAGE);
    // Asked after the answer: an instant that has come by now has surely come for the database.
    const now = store.now().earliest;
    const next = await Promise.all(page.map((schedule) => fireOne(schedule, now, options)));
    earliest = Math.min(earliest, ...next.map((at) => at ?? Number.POSITIVE_INFINITY));
    const last = page.at(-1);
    if (page.length < PAGE || last?.nextAt === undefined || last.nextAt > now) break;
    after = { ns: last.ns, id: last.id, nextAt: last.nextAt };
  }
  return Number.isFinite(earliest) ? earliest : undefined;
}

/** When the schedule is due next. Who loses the race to fire it knows that, too. */
async function fireOne(
  schedule: ScheduleState,
  now: number,
  { store, fired, onError }: FireOptions,
): Promise<number | undefined> {
  try {
    const firing = fireDue(schedule, now);
    if (!firing) return schedule.nextAt;
    if (await store.fire(firing)) fired?.(firing);
    return firing.nextAt;
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) onError?.(error, schedule.id);
    return undefined;
  }
}

export interface SchedulesOptions extends FireOptions {
  readonly settings?: Pick<Partial<DispatchSettings>, "idleScanMs">;
  readonly timers?: Timers;
}

/** How far ahead a timer is armed: a schedule may be years away, and timers end at 2^31 milliseconds. */
const HORIZON_MS = 5 * 60_000;

/** Does it all the time: a timer for punctuality, a scan for what this process did not know of. */
export class Schedules {
  readonly #options: SchedulesOptions;
  readonly #timers: Timers;
  readonly #scanMs: number;
  #state: "new" | "running" | "stopped" = "new";
  #looking: Promise<void> | undefined;
  #again = false;
  #armedFor = Number.POSITIVE_INFINITY;
  #disarm = () => {};
  #disarmScan = () => {};

  constructor(options: SchedulesOptions) {
    this.#options = options;
    this.#timers = options.timers ?? realTimers;
    this.#scanMs = options.settings?.idleScanMs ?? DISPATCH_DEFAULTS.idleScanMs;
  }

  start(): void {
    this.#state = "running";
    this.#look();
    this.#armScan();
  }

  /** Some schedule comes due at `at`, by the database's clock. */
  wakeAt(at: number): void {
    if (this.#state !== "running" || at >= this.#armedFor) return;
    const ms = at - this.#options.store.now().earliest;
    if (ms > HORIZON_MS) return;
    this.#disarm();
    this.#armedFor = at;
    this.#disarm = this.#timers.after(Math.max(1, ms), () => {
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#look();
    });
  }

  /** Resolves when no fire is under way any more. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#disarm();
    this.#disarmScan();
    await this.#looking;
  }

  #look(): void {
    if (this.#state !== "running") return;
    this.#again = true;
    this.#looking ??= this.#lookAll().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookAll(): Promise<void> {
    while (this.#again && this.#state === "running") {
      this.#again = false;
      try {
        const next = await fireSchedules(this.#options);
        if (next !== undefined) this.wakeAt(next);
      } catch (error) {
        // While the store is away the scan asks on.
        if (!(error instanceof StoreUnavailable)) this.#options.onError?.(error, undefined);
      }
    }
  }

  #armScan(): void {
    // Spread, so that replicas do not all ask in the same moment.
    const ms = this.#scanMs * (0.75 + this.#timers.random() / 2);
    this.#disarmScan = this.#timers.after(ms, () => {
      this.#look();
      if (this.#state === "running") this.#armScan();
    });
  }
}
