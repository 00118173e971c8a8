/**
 * Programs on a real Postgres and the real clock: three dispatchers, each with connections of its own, push in process to
 * the product's replay. Pushes and answers are lost, doubled and late; checkpoints reach whichever dispatcher; a
 * dispatcher dies between two instructions, with all it holds, and another takes its place; leases are short.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ExecuteAnswer, ExecuteRequest } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol";
import { type Checkpoint, defaultHost, execute } from "@aikirun/workflow/replay";
import { newRun } from "../../simulation/programs/cast.js";
import { durable } from "../../simulation/programs/durable.js";
import { type EndedRun, type Execution, judgeRun } from "../../simulation/programs/judge.js";
import type { Case } from "../../simulation/programs/plans.js";
import { type ChildInput, eventsOf, planAt } from "../../simulation/programs/program.js";
import { Random } from "../../simulation/random.js";
import type { DeliveryOutcome, Route } from "../../src/dispatch/delivery.js";
import type { Store } from "../../src/store/port.js";
import { MortalDispatcher } from "./mortal-dispatcher.js";

const NS = "default";
const ROUTE: Route = { endpointId: "ep", url: "https://endpoint.test/", budgetMs: 30_000, concurrency: 10_000 };
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
const CRASH_EVERY_MS = 120;
/** After this nothing fails any more. */
const HEAL_MS = 1_500;
const GIVE_UP_MS = 30_000;

export interface Figures {
  readonly runs: number;
  readonly executions: number;
  readonly crashes: number;
  readonly lost: number;
  readonly doubled: number;
  readonly checkpoints: number;
}

/** Runs programs at the same time and judges each. Throws what is wrong. */
export async function runOnPostgres(programs: readonly Case[], stores: readonly Store[]): Promise<Figures> {
  return new PostgresWorld(programs, stores).run();
}

class PostgresWorld {
  readonly #programs: readonly Case[];
  readonly #stores: readonly Store[];
  readonly #random: Random;
  readonly #dispatchers: MortalDispatcher[];
  readonly #executions = new Map<string, Execution[]>();
  /** Runs that were pushed or started, with the site of the program that each carries out. */
  readonly #sites = new Map<string, string>();
  readonly #sending: Promise<void>[] = [];
  readonly #errors: unknown[] = [];
  readonly #figures = { runs: 0, executions: 0, crashes: 0, lost: 0, doubled: 0, checkpoints: 0 };
  #healed = false;
  #number = 0;

  constructor(programs: readonly Case[], stores: readonly Store[]) {
    this.#programs = programs;
    this.#stores = stores;
    this.#random = new Random(programs.reduce((sum, { seed }) => (sum + seed) | 0, 0));
    this.#dispatchers = stores.map((store) => this.#boot(store));
  }

  async run(): Promise<Figures> {
    const startedAt = performance.now();
    const crashing = this.#crashes();
    await Promise.all(this.#programs.map((_, i) => this.#start(i)));
    while ((await this.#live()) > 0) {
      if (this.#errors.length > 0) break;
      if (performance.now() - startedAt > GIVE_UP_MS) throw new Error(`not ended: ${await this.#unended()}`);
      await delay(15);
    }
    this.#healed = true;
    await crashing;
    await Promise.allSettled(this.#sending);
    for (const dispatcher of this.#dispatchers) dispatcher.die();
    if (this.#errors.length > 0) throw this.#errors[0];
    await this.#judge();
    return this.#figures;
  }

  get #anyStore(): Store {
    return this.#stores[0] as Store;
  }

  #strikes(probability: number): boolean {
    return !this.#healed && this.#random.chance(probability);
  }

  #boot(store: Store): MortalDispatcher {
    return new MortalDispatcher({
      store,
      deliver: (request, signal) => this.#deliver(request, signal),
      route: ROUTE,
      onError: (error) => this.#errors.push(error),
    });
  }

  async #crashes(): Promise<void> {
    const healAt = performance.now() + HEAL_MS;
    while (!this.#healed) {
      await delay(this.#random.int(CRASH_EVERY_MS / 2, CRASH_EVERY_MS * 2));
      if (performance.now() > healAt) this.#healed = true;
      if (this.#healed) return;
      const i = this.#random.int(0, this.#dispatchers.length - 1);
      this.#dispatchers[i]?.die();
      this.#dispatchers[i] = this.#boot(this.#stores[i] as Store);
      this.#figures.crashes += 1;
    }
  }

  /** The first step of a site names the program. */
  #programOf(site: string): Case {
    return this.#programs[Number(site.split(".")[0]?.slice(1))] as Case;
  }

  async #start(index: number): Promise<void> {
    const id = newId("run");
    const run = newRun(id, `r${index}`);
    this.#meet(id, `r${index}`);
    const dispatcher = this.#random.pick(this.#dispatchers);
    const outcome = await this.#anyStore.start(run, this.#random.chance(0.5) ? dispatcher.leaseMs : undefined);
    if (outcome.type === "created" && outcome.held) dispatcher.dispatcher.accept(outcome.held);
    else dispatcher.dispatcher.wake();
  }

  /** A run is seen for the first time: it is sent what it waits for. */
  #meet(runId: string, site: string): void {
    if (this.#sites.has(runId)) return;
    this.#sites.set(runId, site);
    this.#sending.push(this.#sendEvents(runId, site).catch((error) => void this.#errors.push(error)));
  }

  async #sendEvents(runId: string, site: string): Promise<void> {
    const send = (body: { kind: "wakeup" } | { kind: "event"; name: string; data: number }) =>
      this.#anyStore.append({ ns: NS, runId, eventId: newId("msg"), body }, 100);
    for (const name of eventsOf(planAt(this.#programOf(site).plan, site))) {
      await delay(this.#random.int(0, 60));
      const body = { kind: "event" as const, name, data: ++this.#number };
      // A root may not have been started yet.
      for (let tries = 0; (await send(body)).type === "unknown" && tries < 100; tries++) await delay(10);
      this.#random.pick(this.#dispatchers).dispatcher.wake();
    }
    if (this.#random.chance(0.1)) await send({ kind: "wakeup" });
  }

  async #deliver(request: ExecuteRequest, signal: AbortSignal): Promise<DeliveryOutcome> {
    this.#meet(request.run.id, (request.run.input as unknown as ChildInput).site);
    await this.#hop();
    if (this.#strikes(0.05)) return this.#fails("refused");
    if (this.#strikes(0.05)) return this.#fails("lost");
    if (this.#strikes(0.08)) {
      this.#figures.doubled += 1;
      void this.#handle(request, signal).catch((error) => this.#errors.push(error));
    }
    const outcome = await this.#handle(request, signal);
    await this.#hop();
    return this.#strikes(0.08) ? this.#fails("lost") : outcome;
  }

  #fails(reach: "refused" | "lost"): DeliveryOutcome {
    this.#figures.lost += 1;
    return { type: "failed", code: "CONNECTION_LOST", message: reach, reach };
  }

  #hop(): Promise<void> {
    return delay(this.#strikes(0.05) ? this.#random.int(50, 500) : this.#random.int(0, 3));
  }

  async #handle(pushed: ExecuteRequest, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { run, fence, pushId, history, budgetMs } = JSON.parse(JSON.stringify(pushed)) as ExecuteRequest;
    let { seq } = fence;
    const checkpoint: Checkpoint = async (commands) => {
      await this.#hop();
      if (this.#strikes(0.05)) return { type: "failed" };
      const body = { runId: run.id, pushId, ...fence, seq, commands: [...commands] };
      const outcome = await this.#random.pick(this.#dispatchers).checkpoint(NS, body);
      if (!outcome || outcome.type === "refused" || this.#strikes(0.05)) return { type: "failed" };
      if (outcome.type === "stale" || outcome.stop === "abandon") return { type: "unwanted" };
      seq = outcome.seq;
      this.#figures.checkpoints += 1;
      return { type: "committed", records: outcome.records, answer: outcome.stop === "answer" };
    };
    const execution = await execute({
      workflow: this.#code(run.id, (run.input as unknown as ChildInput).site),
      run,
      records: history.records,
      host: defaultHost,
      logger: SILENT,
      signal,
      budgetMs,
      graceMs: 20,
      ...(this.#random.chance(0.5) && { checkpoint }),
    });
    if (execution.state === "diverged")
      return { type: "diverged", divergence: execution.divergence, message: "diverged" };
    const { state, commands } = execution;
    const answer: ExecuteAnswer = { runId: run.id, pushId, ...fence, seq, state, commands, keeps: false };
    return { type: "answer", answer: JSON.parse(JSON.stringify(answer)) };
  }

  #code(runId: string, site: string) {
    return durable(this.#programOf(site).plan, async (_site, input, { idempotencyKey, attempt }) => {
      const number = ++this.#number;
      const of = this.#executions.get(runId) ?? [];
      this.#executions.set(runId, of);
      of.push({ idempotencyKey, attempt, input, number });
      this.#figures.executions += 1;
      await delay(this.#random.int(0, 10));
      return number;
    });
  }

  async #live(): Promise<number> {
    return (await this.#anyStore.countLive(NS)).reduce((sum, { live }) => sum + live, 0);
  }

  async #unended(): Promise<string> {
    const { runs } = await this.#anyStore.listRuns(NS, {}, undefined, 1_000);
    const live = runs.filter(({ endedAt }) => endedAt === undefined).map(({ id, status }) => `${id} ${status}`);
    return live.map((one) => `${one} ${this.#sites.get(one.split(" ")[0] ?? "")}`).join("; ");
  }

  async #judge(): Promise<void> {
    const runs = new Map<string, EndedRun>();
    for (const { id } of (await this.#anyStore.listRuns(NS, {}, undefined, 10_000)).runs) {
      const run = await this.#anyStore.getRun(NS, id);
      const history = await this.#anyStore.readHistory(NS, id, 0, 10_000, 100_000_000);
      if (!run || !history) throw new Error(`${id} is gone`);
      const { status, output, error } = run;
      const input = run.input as unknown as ChildInput;
      const mail = await this.#anyStore.readMail(NS, id, 0);
      runs.set(id, { id, input, records: history.records, mail, status, output, error });
    }
    this.#figures.runs = runs.size;
    for (const run of runs.values()) {
      const { plan } = this.#programOf(run.input.site);
      await judgeRun(run, { plan, runs, executions: this.#executions });
    }
  }
}
