/** Schedules in memory. As with runs, every verb is one synchronous step. */
import { cancelOfPrevious, type Firing, type ScheduleState } from "../core/schedule.js";
import { isLive } from "./memory-row.js";
import type { MemoryRuns, MemoryStoreOptions } from "./memory-runs.js";
import type {
  ActivateOutcome,
  NewSchedule,
  ScheduleFilter,
  ScheduleStore,
  StoredSchedule,
  UpcomingCursor,
} from "./port.js";

/** Whether the last run is live is looked up when a schedule is read. */
type Row = Omit<StoredSchedule, "last"> & { readonly lastRunId: string | undefined };

export class MemorySchedules implements ScheduleStore {
  readonly #runs: MemoryRuns;
  readonly #options: MemoryStoreOptions;
  readonly #rows = new Map<string, Row>();
  readonly #byIdentity = new Map<string, Row>();

  constructor(runs: MemoryRuns, options: MemoryStoreOptions) {
    this.#runs = runs;
    this.#options = options;
  }

  async activate({ updates, ...given }: NewSchedule, max: number): Promise<ActivateOutcome> {
    return this.#statement("activate", () => {
      const old = this.#byIdentity.get(identityOf(given));
      const now = this.#clock();
      if (!old) {
        if (this.#count(given.ns) >= max) return { type: "too_many" };
        const counts = { lastAt: undefined, lastRunId: undefined, started: 0, skipped: 0 };
        const row = { ...given, ...counts, seq: 0, createdAt: now, updatedAt: now };
        return { type: "created", schedule: this.#put(row) };
      }
      if (!updates || old.contentHash === given.contentHash) return { type: "unchanged", schedule: this.#read(old) };
      const sameRecurrence = JSON.stringify(old.recurrence) === JSON.stringify(given.recurrence);
      const schedule = this.#put({
        ...old,
        ...given,
        id: old.id,
        seq: old.seq + 1,
        updatedAt: now,
        anchorAt: sameRecurrence ? old.anchorAt : given.anchorAt,
        nextAt: old.nextAt === undefined || sameRecurrence ? old.nextAt : given.nextAt,
      });
      return { type: "updated", schedule };
    });
  }

  async getSchedule(ns: string, id: string): Promise<StoredSchedule | undefined> {
    return this.#statement("getSchedule", () => {
      const row = this.#find(ns, id);
      return row && this.#read(row);
    });
  }

  async listSchedules(
    ns: string,
    filter: ScheduleFilter,
    cursor: string | undefined,
    limit: number,
  ): Promise<StoredSchedule[]> {
    return this.#statement("listSchedules", () =>
      [...this.#rows.values()]
        .filter((row) => row.ns === ns && matches(row, filter) && (cursor === undefined || row.id < cursor))
        .sort((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, limit)
        .map((row) => this.#read(row)),
    );
  }

  async deleteSchedule(ns: string, id: string): Promise<boolean> {
    return this.#statement("deleteSchedule", () => {
      const row = this.#find(ns, id);
      if (row) this.#byIdentity.delete(identityOf(row));
      return this.#rows.delete(keyOf({ ns, id }));
    });
  }

  async retimeSchedule(ns: string, id: string, seq: number, nextAt: number | undefined): Promise<boolean> {
    return this.#statement("retimeSchedule", () => {
      const row = this.#find(ns, id);
      if (row?.seq !== seq) return false;
      this.#put({ ...row, seq: seq + 1, nextAt, updatedAt: this.#clock() });
      return true;
    });
  }

  async upcomingSchedules(after: UpcomingCursor | undefined, limit: number): Promise<ScheduleState[]> {
    return this.#statement("upcomingSchedules", () =>
      [...this.#rows.values()]
        .filter((row): row is Row & UpcomingCursor => row.nextAt !== undefined)
        .sort(byInstant)
        .filter((row) => after === undefined || byInstant(after, row) < 0)
        .slice(0, limit)
        .map((row) => this.#read(row)),
    );
  }

  async fire(firing: Firing): Promise<boolean> {
    return this.#statement("fire", () => {
      const row = this.#find(firing.ns, firing.id);
      const now = this.#clock();
      if (row?.seq !== firing.seq) return false;
      if (firing.cause === "due" && (row.nextAt === undefined || row.nextAt > now)) return false;
      const { runIds } = firing;
      this.#put({
        ...row,
        seq: row.seq + 1,
        nextAt: firing.nextAt,
        lastAt: runIds.length > 0 ? now : row.lastAt,
        lastRunId: runIds.at(-1) ?? row.lastRunId,
        started: row.started + runIds.length,
        skipped: row.skipped + firing.skipped,
      });
      const { ns, workflow, version, input, retry, timeoutMs, pool } = row;
      for (const id of runIds) {
        const facts = { ns, id, workflow, version, input, retry, timeoutMs, pool };
        this.#runs.startScheduled(row.id, { ...facts, reference: undefined, parent: undefined }, row.requestHash);
      }
      const cancel = cancelOfPrevious(firing);
      if (cancel) this.#runs.send(cancel);
      return true;
    });
  }

  #find(ns: string, id: string): Row | undefined {
    return this.#rows.get(keyOf({ ns, id }));
  }

  #count(ns: string): number {
    let count = 0;
    for (const row of this.#rows.values()) if (row.ns === ns) count += 1;
    return count;
  }

  #put(row: Row): StoredSchedule {
    this.#rows.set(keyOf(row), row);
    this.#byIdentity.set(identityOf(row), row);
    return this.#read(row);
  }

  #read({ lastRunId, ...row }: Row): StoredSchedule {
    const run = lastRunId === undefined ? undefined : this.#runs.find(row.ns, lastRunId);
    const live = run !== undefined && isLive(run);
    return { ...row, last: lastRunId === undefined ? undefined : { runId: lastRunId, live } };
  }

  #clock(): number {
    return this.#options.now?.() ?? Date.now();
  }

  #statement<T>(verb: string, run: () => T): T {
    const result = run();
    this.#options.afterStatement?.(verb);
    return result;
  }
}

function keyOf({ ns, id }: Pick<Row, "ns" | "id">): string {
  return `${ns}/${id}`;
}

function identityOf({ ns, identity }: Pick<Row, "ns" | "identity">): string {
  return `${ns}/${identity}`;
}

function matches(row: Row, filter: ScheduleFilter): boolean {
  return (
    (filter.workflow === undefined || filter.workflow === row.workflow) &&
    (filter.version === undefined || filter.version === row.version) &&
    (filter.reference === undefined || filter.reference === row.reference) &&
    (filter.status === undefined || (filter.status === "paused") === (row.nextAt === undefined))
  );
}

function byInstant(a: UpcomingCursor, b: UpcomingCursor): number {
  return a.nextAt - b.nextAt || (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
