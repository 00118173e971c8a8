/**
 * Schedules in some of the worlds: what the replicas fire, what people do to it, and the promises, checked after every
 * statement. An instant is one run, never early and, where everything is made up for, never lost.
 */
import { newId, scheduledRunId } from "@aikirun/protocol";
import { fireNow, nextAfter } from "../src/core/schedule.js";
import { scheduleVerbs } from "../src/store/memory.js";
import type { Row } from "../src/store/memory-row.js";
import type { MemoryRuns } from "../src/store/memory-runs.js";
import { MemorySchedules } from "../src/store/memory-schedules.js";
import type { NewSchedule, ScheduleStore, StoredSchedule } from "../src/store/port.js";
import type { Random } from "./random.js";
import { LINGER_MS } from "./replica.js";
import type { Scheduler } from "./scheduler.js";
import { NS } from "./surroundings.js";
import { Violation } from "./violation.js";
import { VERSION } from "./workflows.js";

export interface TimetableOptions {
  /** Of its own, so that a world without schedules is the same with or without this file. */
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly runs: MemoryRuns;
  readonly now: () => number;
  readonly afterStatement: () => void;
  readonly fail: (error: unknown) => void;
  readonly breaks: ((verbs: ScheduleStore) => ScheduleStore) | undefined;
}

/** How late a schedule may be when nothing fails any more. */
const LATE_MS = 500;
/** Replicas that were being replaced when all became well are back by then; meanwhile there may be none that fires. */
const REPLACED_MS = LINGER_MS + 200;

export class Timetable {
  readonly #options: TimetableOptions;
  readonly #sound: ScheduleStore;
  readonly #given: NewSchedule[] = [];
  /** Runs that a person asked for, and schedules that were paused at some time. */
  readonly #triggered = new Set<string>();
  readonly #paused = new Set<string>();
  /** Scheduled runs that were looked at already. */
  readonly #met = new Map<string, Set<Row>>();
  /** The verbs as the replicas reach them. */
  readonly store: ScheduleStore;
  #active = 0;

  constructor(options: TimetableOptions) {
    const { runs, now, afterStatement, breaks } = options;
    this.#options = options;
    this.#sound = scheduleVerbs(new MemorySchedules(runs, { now, afterStatement }));
    this.store = breaks ? breaks(this.#sound) : this.#sound;
    const count = options.random.chance(0.3) ? options.random.int(1, 2) : 0;
    for (let i = 0; i < count; i++) this.#given.push(this.#draw());
    this.#active = count;
  }

  get empty(): boolean {
    return this.#given.length === 0;
  }

  /** All of them have been deleted. */
  get over(): boolean {
    return this.#active === 0;
  }

  async open(): Promise<void> {
    const { random, scheduler, fail } = this.#options;
    for (const schedule of this.#given) {
      await this.#sound.activate(schedule, 10);
      scheduler.note(`schedule ${schedule.id} ${schedule.overlapPolicy} ${schedule.catchUp}`);
      if (random.chance(0.4)) this.#meddle(schedule).catch(fail);
    }
  }

  /** Called when everything is well again: the schedules go on for a while, and are deleted. */
  close(): void {
    const { random, scheduler, fail } = this.#options;
    for (const schedule of this.#given) {
      const end = async () => {
        await scheduler.sleep(REPLACED_MS + LATE_MS + random.int(0, 100), undefined, "schedule ends");
        this.#checkNothingLost(schedule, await this.#read(schedule));
        await this.#sound.deleteSchedule(NS, schedule.id);
        this.#active -= 1;
      };
      end().catch(fail);
    }
  }

  /** Each scheduled run, once. */
  #meet(row: Row): void {
    const id = row.schedule;
    if (id === undefined) return;
    const met = this.#met.get(id) ?? new Set<Row>();
    this.#met.set(id, met);
    if (met.has(row)) return;
    met.add(row);
    if (this.#triggered.has(row.facts.id)) return;
    const given = this.#given.find((one) => one.id === id);
    const at =
      given && this.#instants(given, this.#options.now() + LATE_MS).find((t) => scheduledRunId(id, t) === row.facts.id);
    if (at === undefined) throw new Violation("SCHEDULE", `${row.facts.id} is of no instant of ${id}`);
    if (row.facts.createdAt < at) throw new Violation("EARLY", `${id} fired ${at - row.facts.createdAt} ms early`);
  }

  /** After every statement. */
  check(rows: Iterable<Row>): void {
    if (this.empty) return;
    const live = new Map<string, Row[]>();
    for (const row of rows) {
      this.#meet(row);
      if (row.schedule !== undefined && !row.end) live.set(row.schedule, [...(live.get(row.schedule) ?? []), row]);
    }
    for (const { id, overlapPolicy } of this.#given) {
      const going = live.get(id) ?? [];
      const uncancelled = going.filter((row) => row.cancelN === 0);
      const most = overlapPolicy === "allow" ? Number.POSITIVE_INFINITY : 1;
      if ((overlapPolicy === "skip" ? going : uncancelled).length > most) {
        throw new Violation("OVERLAP", `${id} has ${going.length} runs at once under ${overlapPolicy}`);
      }
    }
  }

  #draw(): NewSchedule {
    const { random, now } = this.#options;
    const id = newId("sch", now(), random.bytes(16));
    const everyMs = random.int(40, 120);
    return {
      ns: NS,
      id,
      reference: undefined,
      identity: id,
      contentHash: "contents",
      workflow: random.pick(["tiny", "seq"] as const),
      version: VERSION,
      input: "0",
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      requestHash: "hash",
      recurrence: { type: "interval", everyMs },
      overlapPolicy: random.pick(["allow", "allow", "skip", "cancel_previous"] as const),
      catchUp: random.pick(["one", "all"] as const),
      anchorAt: now(),
      nextAt: now() + everyMs,
      updates: true,
    };
  }

  async #read({ id }: NewSchedule): Promise<StoredSchedule> {
    const schedule = await this.#sound.getSchedule(NS, id);
    if (!schedule) throw new Violation("SCHEDULE", `${id} is gone`);
    return schedule;
  }

  /** Somebody triggers it, pauses it and lets it go on. */
  async #meddle(given: NewSchedule): Promise<void> {
    const { random, scheduler, now } = this.#options;
    await scheduler.sleep(random.int(20, 150), undefined, "schedule user");
    const runId = newId("run", now(), random.bytes(16));
    this.#triggered.add(runId);
    await this.store.fire(fireNow(await this.#read(given), runId));
    if (random.chance(0.5)) return;
    this.#paused.add(given.id);
    await this.#retime(given, () => undefined);
    await scheduler.sleep(random.int(10, 100), undefined, "schedule user");
    await this.#retime(given, (schedule) => nextAfter(schedule, now()));
  }

  async #retime(given: NewSchedule, nextOf: (schedule: StoredSchedule) => number | undefined): Promise<void> {
    for (;;) {
      const schedule = await this.#read(given);
      if (await this.#sound.retimeSchedule(NS, given.id, schedule.seq, nextOf(schedule))) return;
    }
  }

  #instants({ anchorAt, recurrence }: NewSchedule, until: number): number[] {
    const instants: number[] = [];
    const schedule = { anchorAt, recurrence };
    for (let at = nextAfter(schedule, anchorAt); at !== undefined && at <= until; at = nextAfter(schedule, at)) {
      instants.push(at);
    }
    return instants;
  }

  #checkNothingLost(given: NewSchedule, { id, nextAt, started, skipped }: StoredSchedule): void {
    const now = this.#options.now();
    if (nextAt === undefined || nextAt < now - LATE_MS)
      throw new Violation("LATE", `${id} is due since ${nextAt}: ${now}`);
    const runs = this.#met.get(id)?.size ?? 0;
    if (started !== runs) throw new Violation("SCHEDULE", `${id} counts ${started} runs and has ${runs}`);
    if (given.overlapPolicy !== "allow" || given.catchUp !== "all" || this.#paused.has(id)) return;
    const due = this.#instants(given, nextAt - 1).length;
    const fired = runs - [...(this.#met.get(id) ?? [])].filter((row) => this.#triggered.has(row.facts.id)).length;
    if (fired + skipped !== due) throw new Violation("LOST", `${id} came due ${due} times and fired ${fired} times`);
  }
}
