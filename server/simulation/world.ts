/**
 * One seed's world: a database, two orchestrators, an endpoint with two instances, users, and everything that goes wrong
 * between them. Faults first; then everything heals; then every run must end.
 */
import type { ServableVersion } from "@aikirun/workflow";
import { execute } from "@aikirun/workflow/replay";
import { MemoryRuns } from "../src/store/memory-runs.js";
import type { RunStore } from "../src/store/port.js";
import { BackgroundWork } from "./background.js";
import { type Breakage, breakStore } from "./breakage.js";
import { Instance } from "./endpoint.js";
import { Faults } from "./faults.js";
import { Invariants } from "./invariants.js";
import { type Invocation, Ledger } from "./ledger.js";
import { Nemesis } from "./nemesis.js";
import { checkpointLink, network } from "./network.js";
import { observed } from "./observer.js";
import { Random } from "./random.js";
import { Replica } from "./replica.js";
import { type Process, Scheduler } from "./scheduler.js";
import { storeLink } from "./store-link.js";
import { NS, type Surroundings } from "./surroundings.js";
import { Timetable } from "./timetable.js";
import { Users } from "./users.js";
import { Violation } from "./violation.js";
import { SimulatedWorker } from "./worker.js";
import { EVENTS, type WorkflowName, workflows } from "./workflows.js";

export interface WorldOptions {
  readonly trace?: boolean;
  readonly breakage?: Breakage;
  /** Other runs than the fixed workflows of the users. */
  readonly cast?: (world: Surroundings, ledger: Ledger) => Cast;
}

/** Who acts in a world instead of the users, and with which code. */
export interface Cast {
  /** What still has to be done. */
  readonly busy: number;
  arrive(): void;
  code(workflow: string, invocation: Invocation, process: Process): ServableVersion;
  /** Looks at every statement. */
  watch(store: RunStore): RunStore;
  /** After every run has ended. Throws what is wrong. */
  judge(): Promise<void>;
}

export interface Report {
  readonly traceHash: string;
  readonly events: number;
  readonly executions: number;
  readonly runs: number;
  readonly violation: Error | undefined;
  readonly trace: readonly string[] | undefined;
}

/** The database's clock when the world begins. */
const EPOCH_MS = 1_700_000_000_000;
const MAX_EVENTS = 60_000;
/** Events after the last run has ended, in which nothing may change any more. */
const AFTERMATH_EVENTS = 150;
const SETTINGS = {
  scanMs: 40,
  idleScanMs: 120,
  retryBaseMs: 8,
  retryMostMs: 120,
  holdMs: 30,
  unservedMs: 60,
  unservedMostMs: 240,
  storeRetryMs: 5,
  maxLost: 6,
  maxTries: 4,
  maxTold: 1,
  workerBudgetMs: 5_000,
};
/** While they run, time runs out and events come that are read together. */
const SLOW_TASKS: ReadonlySet<string> = new Set(["p"]);
const LEASE_MS = 150;
/** A lease that outlives a world without faults: nothing may run twice there. */
const LONG_LEASE_MS = 1_000_000;

export function simulate(seed: number, options: WorldOptions = {}): Promise<Report> {
  return new World(seed, options).run();
}

class World {
  readonly #breakage: Breakage | undefined;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #faults: Faults;
  readonly #ledger: Ledger;
  readonly #runs: MemoryRuns;
  readonly #store: RunStore;
  readonly #instances: readonly Instance[];
  readonly #replicas: Replica[] = [];
  readonly #surroundings: Surroundings;
  readonly #nemesis: Nemesis;
  readonly #users: Users;
  readonly #timetable: Timetable;
  readonly #cast: Cast | undefined;
  /** When a handler first asked for each sleep. */
  readonly #asked = new Map<string, number>();
  readonly #checkpoints: boolean;
  readonly #background: BackgroundWork;
  /** Workflows that no endpoint has. */
  readonly #workersOnly: ReadonlySet<string>;
  #violation: Error | undefined;

  constructor(seed: number, { trace = false, breakage, cast }: WorldOptions) {
    this.#breakage = breakage;
    const random = new Random(seed);
    this.#random = random;
    this.#scheduler = new Scheduler(random, trace);
    this.#faults = new Faults(random);
    this.#checkpoints = random.chance(0.6);
    const workers = random.chance(0.5) ? random.int(1, 2) : 0;
    const only = random.pick([0, 0.5, 1]);
    this.#workersOnly = new Set(Object.keys(EVENTS).filter(() => workers > 0 && random.chance(only)));
    this.#ledger = new Ledger(this.#faults.rate === 0);
    this.#runs = new MemoryRuns(
      {
        now: () => this.#now(),
        afterStatement: () => check(),
        betweenStatements: () => this.#scheduler.sleep(random.int(0, 3), undefined, "between statements"),
      },
      () => 1,
    );
    const invariants = new Invariants(this.#runs.rows, this.#ledger, () => this.#now());
    const check = () => {
      invariants.check();
      this.#timetable.check(this.#runs.rows.values());
    };
    this.#timetable = new Timetable({
      // Any other seed.
      random: new Random(seed + 0x5ced),
      scheduler: this.#scheduler,
      runs: this.#runs,
      now: () => this.#now(),
      afterStatement: check,
      fail: (error) => this.#fail(error),
      breaks: breakage?.schedules,
    });
    this.#surroundings = {
      random,
      scheduler: this.#scheduler,
      faults: this.#faults,
      replicas: this.#replicas,
      rows: this.#runs.rows,
      pool: workers > 0 && random.chance(0.5) ? "gpu" : undefined,
      leaseMs: this.#faults.rate === 0 ? LONG_LEASE_MS : LEASE_MS,
      now: () => this.#now(),
      fresh: () => this.#ledger.fresh(),
      fail: (error) => this.#fail(error),
    };
    this.#cast = cast?.(this.#surroundings, this.#ledger);
    const store = observed(breakStore(breakage, this.#runs), (ns, runId) => this.#runs.find(ns, runId));
    this.#store = this.#cast?.watch(store) ?? store;
    this.#nemesis = new Nemesis(this.#surroundings);
    const { scheduler, faults, replicas, fail } = this.#surroundings;
    this.#background = new BackgroundWork({ seed, random, scheduler, faults, replicas, fail });
    this.#users = new Users(this.#surroundings);
    this.#instances = ["ep1", "ep2"].map((name) => this.#instance(name));
    for (const name of ["d1", "d2"]) this.#replicas.push(this.#replica(name));
    for (let i = 1; i <= workers; i++) {
      new SimulatedWorker(this.#surroundings, this.#ledger, this.#instance(`w${i}`));
    }
  }

  async run(): Promise<Report> {
    const scheduler = this.#scheduler;
    const users = this.#cast ? 0 : this.#random.int(1, 3);
    for (let i = 0; i < users; i++) this.#users.arrive();
    this.#cast?.arrive();
    this.#users.operate(!this.#cast);
    if (!this.#cast) await this.#timetable.open();
    if (this.#faults.rate > 0) this.#nemesis.lurk();
    else if (this.#random.chance(0.4)) this.#nemesis.deploy();
    scheduler.after(this.#random.int(200, 700), undefined, "heal", () => {
      this.#nemesis.heal();
      if (!this.#cast) this.#timetable.close();
    });
    await scheduler.run(() => this.#violation !== undefined || this.#finished(), MAX_EVENTS);
    if (!this.#violation && !this.#finished()) this.#fail(new Violation("HANG", this.#unfinished()));
    await scheduler.run(() => this.#violation !== undefined, AFTERMATH_EVENTS);
    if (!this.#violation) await this.#cast?.judge().catch((error: unknown) => this.#fail(error));
    return {
      traceHash: scheduler.traceHash,
      events: scheduler.events,
      executions: this.#ledger.executions,
      runs: this.#runs.rows.size,
      violation: this.#violation,
      trace: scheduler.trace,
    };
  }

  #now(): number {
    return EPOCH_MS + this.#scheduler.now;
  }

  #fail(error: unknown): void {
    this.#violation ??= error instanceof Error ? error : new Error(String(error));
    this.#scheduler.note(`VIOLATION ${this.#violation.message}`);
  }

  #finished(): boolean {
    if (this.#cast ? this.#cast.busy > 0 : this.#users.busy > 0 || !this.#timetable.over) return false;
    for (const row of this.#runs.rows.values()) if (!row.end) return false;
    return true;
  }

  #unfinished(): string {
    const rows = [...this.#runs.rows.values()].filter((row) => !row.end);
    const told = rows.map((row) => {
      const last = row.records.at(-1);
      const place = `${row.facts.workflow} ${row.facts.id} ${row.status} due ${row.dueAt} lease ${row.leaseUntil}`;
      return `${place} after ${last?.key} ${last?.value.state}, ${row.trouble?.code ?? "no trouble"}`;
    });
    return `now ${this.#now()}, ${this.#users.busy} users busy; ${told.join("; ")}`;
  }

  #replica(name: string): Replica {
    const { scheduler, random, faults, leaseMs, now, fail } = this.#surroundings;
    const breakLink = this.#breakage?.link ?? ((link: RunStore) => link);
    return new Replica({
      name,
      scheduler,
      random,
      settings: { ...SETTINGS, leaseMs },
      link: (process) => {
        const store = { ...this.#store, ...this.#timetable.store };
        const link = storeLink({ process, scheduler, faults, store, now, fail });
        return { ...link, ...breakLink(link) };
      },
      fires: !this.#timetable.empty,
      delivery: (process) =>
        network(process, {
          scheduler,
          random,
          faults,
          fail,
          ledger: this.#ledger,
          instances: this.#instances,
          serves: (workflow) => this.#nemesis.registered && !this.#workersOnly.has(workflow),
          isPaused: (runId, { gen, seq }) => {
            const row = this.#runs.find(NS, runId);
            return row?.paused === true && row.gen === gen && row.seq === seq;
          },
          checkpoints: this.#checkpoints,
          background: this.#background,
        }),
      onError: fail,
    });
  }

  #instance(name: string): Instance {
    const { scheduler, random, faults, replicas, now, fail } = this.#surroundings;
    const record = checkpointLink({ scheduler, random, faults, replicas, fail });
    const code = (workflow: string, invocation: Invocation, process: Process) =>
      this.#cast?.code(workflow, invocation, process) ?? this.#code(workflow, invocation, process);
    const ledger = this.#ledger;
    const execution = this.#breakage?.execute ?? execute;
    const background = this.#background;
    return new Instance({ scheduler, random, faults, ledger, record, background, now, code, execute: execution }, name);
  }

  /** The code of a workflow for one invocation: what its tasks and sleeps do is written into the ledger. */
  #code(name: string, invocation: Invocation, process: Process): ServableVersion {
    const built = workflows(
      async (task, input, context) => {
        this.#execute(() => this.#ledger.execute(invocation, task, context.idempotencyKey, context.attempt, input));
        this.#scheduler.note(`exec ${task} ${context.idempotencyKey} ${context.attempt}`);
        await this.#scheduler.sleep(this.#random.int(0, SLOW_TASKS.has(task) ? 80 : 25), process, "task");
        return `${task}@${this.#ledger.fresh()}`;
      },
      {
        asked: (runId, sleep) => {
          const key = `${runId}/${sleep}`;
          if (!this.#asked.has(key)) this.#asked.set(key, this.#scheduler.now);
        },
        woke: (runId, sleep, sleepMs, cancelled) => {
          const sleptMs = this.#scheduler.now - (this.#asked.get(`${runId}/${sleep}`) ?? 0);
          if (cancelled || sleptMs >= sleepMs) return;
          this.#fail(new Violation("EARLY", `${sleep} of ${runId} slept ${sleptMs} ms of ${sleepMs}`));
        },
      },
      () => this.#scheduler.sleep(this.#random.int(0, 12), process, "schema"),
    );
    return built[name as WorkflowName]();
  }

  /** A violation must not pass for a failed task. */
  #execute(note: () => void): void {
    try {
      note();
    } catch (error) {
      this.#fail(error);
    }
  }
}
