/**
 * One seed's world: a database, two orchestrators, an endpoint with two instances, users, and everything that goes wrong
 * between them. Faults first; then everything heals; then every run must end.
 */
import { newId } from "@aikirun/protocol";
import { inputHash } from "@aikirun/protocol/canonical";
import { execute } from "@aikirun/workflow/replay";
import type { MessageBody, NewRun } from "../src/core/run.js";
import { MemoryRuns } from "../src/store/memory-runs.js";
import { type RunStore, StoreUnavailable } from "../src/store/port.js";
import { type Breakage, breakStore } from "./breakages.js";
import { Instance } from "./endpoint.js";
import { Faults } from "./faults.js";
import { Invariants } from "./invariants.js";
import { type Invocation, Ledger } from "./ledger.js";
import { network } from "./network.js";
import { observed } from "./observer.js";
import { Random } from "./random.js";
import { Replica } from "./replica.js";
import { type Process, Scheduler } from "./scheduler.js";
import { storeLink } from "./store-link.js";
import { Violation } from "./violation.js";
import { EVENTS, VERSION, type WorkflowName, workflows } from "./workflows.js";

export interface WorldOptions {
  readonly trace?: boolean;
  readonly breakage?: Breakage;
}

export interface Report {
  readonly seed: number;
  readonly traceHash: string;
  readonly events: number;
  readonly executions: number;
  readonly runs: number;
  readonly violation: Violation | Error | undefined;
  readonly trace: readonly string[] | undefined;
}

const NS = "default";
/** The database's clock when the world begins. */
const EPOCH_MS = 1_700_000_000_000;
const MAX_EVENTS = 60_000;
const SETTINGS = {
  scanMs: 40,
  idleScanMs: 120,
  retryBaseMs: 8,
  retryMostMs: 120,
  holdMs: 30,
  unservedMs: 60,
  storeRetryMs: 5,
  maxLost: 8,
  maxTries: 12,
};
const LEASE_MS = 150;
/** A lease that outlives a world without faults: nothing may run twice there. */
const LONG_LEASE_MS = 1_000_000;

export async function simulate(seed: number, options: WorldOptions = {}): Promise<Report> {
  const world = new World(seed, options);
  return world.run();
}

class World {
  readonly #seed: number;
  readonly #breakage: Breakage | undefined;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #faults: Faults;
  readonly #ledger: Ledger;
  readonly #runs: MemoryRuns;
  readonly #store: RunStore;
  readonly #instances: Instance[];
  readonly #replicas: Replica[];
  readonly #asked = new Map<string, number>();
  #registered: boolean;
  #unfinishedUsers = 0;
  #violation: Error | undefined;

  constructor(seed: number, { trace = false, breakage }: WorldOptions) {
    this.#seed = seed;
    this.#breakage = breakage;
    const random = new Random(seed);
    this.#random = random;
    this.#scheduler = new Scheduler(random, trace);
    this.#faults = new Faults(random);
    this.#ledger = new Ledger(this.#faults.rate === 0);
    this.#registered = random.chance(0.9);
    this.#runs = new MemoryRuns(
      {
        now: () => this.#now(),
        afterStatement: () => invariants.check(),
        betweenStatements: () => this.#scheduler.sleep(random.int(0, 3), undefined, "between statements"),
      },
      () => 1,
    );
    const invariants = new Invariants(this.#runs.rows, this.#ledger, () => this.#now());
    this.#store = observed(breakStore(breakage, this.#runs), (ns, runId) => this.#runs.find(ns, runId));
    this.#instances = ["ep1", "ep2"].map((name) => new Instance(this.#endpointOptions(), name));
    this.#replicas = ["d1", "d2"].map((name) => this.#replica(name));
  }

  async run(): Promise<Report> {
    const { seed, trace } = { seed: this.#seed, trace: this.#scheduler.trace };
    const runs = this.#random.int(1, 3);
    for (let i = 0; i < runs; i++) this.#user();
    if (this.#faults.rate > 0) this.#nemesis();
    if (!this.#registered) this.#registerLater();
    this.#scheduler.after(this.#random.int(200, 700), undefined, "heal", () => this.#heal());
    await this.#scheduler.run(() => this.#violation !== undefined || this.#finished(), MAX_EVENTS);
    if (!this.#violation && !this.#finished()) this.#fail(new Violation("HANG", this.#unfinished()));
    // What is still on its way must find the runs ended and change nothing.
    if (!this.#violation) await this.#scheduler.run(() => this.#violation !== undefined, 150);
    return {
      seed,
      traceHash: this.#scheduler.traceHash,
      events: this.#scheduler.events,
      executions: this.#ledger.executions,
      runs: this.#runs.rows.size,
      violation: this.#violation,
      trace,
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
    if (this.#unfinishedUsers > 0) return false;
    for (const row of this.#runs.rows.values()) if (!row.end) return false;
    return true;
  }

  #unfinished(): string {
    const rows = [...this.#runs.rows.values()].filter((row) => !row.end);
    return rows
      .map((row) => {
        const last = row.records.at(-1);
        const place = `${row.facts.workflow} ${row.facts.id} ${row.status} due ${row.dueAt} lease ${row.leaseUntil}`;
        return `${place} after ${last?.key} ${last?.value.state}, now ${this.#now()}, ${row.trouble?.code ?? "no trouble"}`;
      })
      .join("; ");
  }

  #replica(name: string): Replica {
    const shared = { scheduler: this.#scheduler, random: this.#random, faults: this.#faults };
    const onViolation = (error: unknown) => this.#fail(error);
    const leaseMs = this.#faults.rate === 0 ? LONG_LEASE_MS : LEASE_MS;
    const { store, breakage } = { store: this.#store, breakage: this.#breakage };
    return new Replica({
      ...shared,
      name,
      settings: { ...SETTINGS, leaseMs },
      link: (process) => {
        const link = storeLink({ ...shared, process, store, databaseNow: () => this.#now(), onViolation });
        return breakage?.link?.(link) ?? link;
      },
      delivery: (process) =>
        network(process, {
          ...shared,
          ledger: this.#ledger,
          instances: this.#instances,
          registered: () => this.#registered,
          onViolation,
        }),
      onError: onViolation,
    });
  }

  #endpointOptions() {
    return {
      scheduler: this.#scheduler,
      random: this.#random,
      faults: this.#faults,
      databaseNow: () => this.#now(),
      code: (name: string, invocation: Invocation, process: Process) => this.#code(name, invocation, process),
      execute: this.#breakage?.execute ?? execute,
    };
  }

  #code(name: string, invocation: Invocation, process: Process) {
    const built = workflows(
      async (task, input, context) => {
        this.#guard(() => this.#ledger.execute(invocation, task, context.idempotencyKey, context.attempt, input));
        this.#scheduler.note(`exec ${task} ${context.idempotencyKey} ${context.attempt}`);
        await this.#scheduler.sleep(this.#random.int(0, 25), process, "task");
        return `${task}@${this.#ledger.fresh()}`;
      },
      {
        asked: (runId, sleep) => {
          const key = `${runId}/${sleep}`;
          if (!this.#asked.has(key)) this.#asked.set(key, this.#scheduler.now);
        },
        woke: (runId, sleep, sleepMs, cancelled) => {
          const sleptMs = this.#scheduler.now - (this.#asked.get(`${runId}/${sleep}`) ?? 0);
          if (!cancelled && sleptMs < sleepMs) this.#fail(new Violation("EARLY", `${sleep} of ${runId}: ${sleptMs} ms`));
        },
      },
    );
    return built[name as WorkflowName]();
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Somebody who starts a run through one of the replicas, sends its events, and sometimes meddles. */
  #user(): void {
    this.#unfinishedUsers += 1;
    const work = async () => {
      const { facts, ...rest } = this.#newRun();
      await this.#pauseUser(0, 20);
      await this.#request(async (replica) => {
        const leaseMs = this.#random.chance(0.7) ? (this.#faults.rate === 0 ? LONG_LEASE_MS : LEASE_MS) : undefined;
        const outcome = await replica.store.start({ facts, ...rest }, leaseMs);
        if (outcome.type === "created" && outcome.held) replica.dispatcher.accept(outcome.held);
        else replica.dispatcher.wake();
        if (outcome.type !== "created" && outcome.type !== "existing") throw new Violation("START", outcome.type);
      });
      const meddling = this.#random.chance(0.35) ? this.#meddle(facts.id) : undefined;
      for (const name of EVENTS[facts.workflow as WorkflowName]) {
        await this.#pauseUser(0, 90);
        await this.#send(facts.id, { kind: "event", name, data: this.#ledger.fresh() });
      }
      await meddling;
      this.#unfinishedUsers -= 1;
    };
    work().catch((error: unknown) => this.#fail(error));
  }

  #newRun(): NewRun {
    const workflow = this.#random.pick(Object.keys(EVENTS) as WorkflowName[]);
    const input = workflow === "tiny" ? "0" : undefined;
    const id = newId("run", this.#now(), this.#random.bytes(16));
    return {
      facts: {
        ns: NS,
        id,
        workflow,
        version: VERSION,
        input,
        reference: undefined,
        retry: undefined,
        timeoutMs: undefined,
        pool: undefined,
        parent: undefined,
      },
      requestHash: inputHash([workflow, input ?? null]),
      conflictPolicy: "error",
      trigger: this.#random.chance(0.2) ? { delayMs: this.#random.int(0, 50) } : undefined,
    };
  }

  async #meddle(runId: string): Promise<void> {
    await this.#pauseUser(0, 120);
    const kind = this.#random.pick(["cancel", "pause", "wakeup", "wakeup"] as const);
    if (kind === "cancel") await this.#send(runId, { kind: "cancel", reason: "enough" });
    else await this.#send(runId, { kind });
    if (kind !== "pause") return;
    await this.#pauseUser(0, 60);
    await this.#send(runId, { kind: "resume" });
  }

  /** The same message again, under the same id, until its outcome is known. */
  async #send(runId: string, body: MessageBody): Promise<void> {
    const eventId = newId("msg", this.#now(), this.#random.bytes(16));
    await this.#request(async (replica) => {
      await replica.store.append({ ns: NS, runId, eventId, body }, 100);
      if (body.kind === "cancel" && this.#random.chance(0.5)) replica.dispatcher.cancelSent(NS, runId);
      if (this.#random.chance(0.8)) replica.dispatcher.wake();
    });
  }

  /** A request to the API of some replica. What a crash swallows, the client sends again. */
  async #request(call: (replica: Replica) => Promise<void>): Promise<void> {
    for (;;) {
      const replica = this.#random.pick(this.#replicas);
      const outcome = await new Promise<"done" | "unknown">((resolve, reject) => {
        call(replica).then(
          () => resolve("done"),
          (error: unknown) => (error instanceof StoreUnavailable ? resolve("unknown") : reject(error)),
        );
        this.#scheduler.after(400, undefined, "client gives up", () => resolve("unknown"));
      });
      if (outcome === "done") return;
      await this.#pauseUser(5, 30);
    }
  }

  #pauseUser(least: number, most: number): Promise<void> {
    return this.#scheduler.sleep(this.#random.int(least, most), undefined, "user");
  }

  /** Crashes and freezes orchestrators, takes the database away, undeploys the endpoint. */
  #nemesis(): void {
    this.#scheduler.after(this.#random.int(20, 80), undefined, "nemesis", () => {
      if (this.#faults.healed) return;
      if (this.#faults.strikes(2)) this.#strike();
      this.#nemesis();
    });
  }

  #strike(): void {
    const random = this.#random;
    const replica = random.pick(this.#replicas);
    const how = random.pick(["crash", "crash", "freeze", "database", "undeploy"] as const);
    this.#scheduler.note(`${how} ${replica.process.name}`);
    if (how === "freeze") replica.freeze(random.int(10, 3 * LEASE_MS));
    if (how === "crash") {
      replica.crash();
      this.#scheduler.after(random.int(1, 150), undefined, "restart", () => {
        if (!replica.process.alive) replica.restart();
      });
    }
    if (how === "database") {
      this.#faults.databaseAway = true;
      this.#scheduler.after(random.int(10, 200), undefined, "database back", () => {
        this.#faults.databaseAway = false;
      });
    }
    if (how === "undeploy") {
      this.#registered = false;
      this.#registerLater();
    }
  }

  #registerLater(): void {
    this.#scheduler.after(this.#random.int(20, 150), undefined, "registered", () => {
      this.#registered = true;
      const versions = Object.keys(EVENTS).map((workflow) => ({ workflow, version: VERSION }));
      const replica = this.#random.pick(this.#replicas);
      replica.store.wakeUnserved(NS, versions).then(
        () => replica.dispatcher.wake(),
        () => {},
      );
    });
  }

  #heal(): void {
    this.#faults.healed = true;
    this.#faults.databaseAway = false;
    this.#registered = true;
    for (const replica of this.#replicas) {
      replica.process.frozenUntil = 0;
      if (!replica.process.alive) replica.restart();
    }
    this.#operator();
  }

  /** Requeues what stalled: somebody looks once the trouble is over. */
  #operator(): void {
    for (const { status, facts } of this.#runs.rows.values()) {
      if (status === "stalled") this.#send(facts.id, { kind: "requeue" }).catch((error: unknown) => this.#fail(error));
    }
    this.#scheduler.after(200, undefined, "operator", () => {
      if (!this.#finished()) this.#operator();
    });
  }
}
