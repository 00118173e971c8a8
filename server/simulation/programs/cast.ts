/** A program in the simulation's world: the code of its runs, who sends their events, and what is judged at the end. */
import { newId } from "@aikirun/protocol";
import { inputHash } from "@aikirun/protocol/canonical";
import type { NewRun } from "../../src/core/run.js";
import type { Row } from "../../src/store/memory-row.js";
import type { RunStore } from "../../src/store/port.js";
import { ask, MAX_QUEUED } from "../client.js";
import type { Invocation, Ledger } from "../ledger.js";
import type { Process } from "../scheduler.js";
import { NS, type Surroundings } from "../surroundings.js";
import type { Cast } from "../world.js";
import { durable, ROOT, VERSION, WORKFLOW } from "./durable.js";
import { type EndedRun, type Evidence, type Execution, judgeRun } from "./judge.js";
import { inOrderOfTime } from "./order.js";
import { type ChildInput, eventsOf, type Plan, planAt } from "./program.js";

/** Every task fits into half of the shortest invocation, so that none is cut off by its end. */
const MOST_TASK_MS = 25;

export function programCast(plan: Plan): (world: Surroundings, ledger: Ledger) => Cast {
  return (world, ledger) => new ProgramCast(plan, world, ledger);
}

class ProgramCast implements Cast {
  readonly #plan: Plan;
  readonly #world: Surroundings;
  readonly #ledger: Ledger;
  readonly #executions = new Map<string, Execution[]>();
  readonly #served = new Set<string>();
  busy = 0;

  constructor(plan: Plan, world: Surroundings, ledger: Ledger) {
    this.#plan = plan;
    this.#world = world;
    this.#ledger = ledger;
  }

  watch(store: RunStore): RunStore {
    return inOrderOfTime(store, this.#world.rows);
  }

  code(_workflow: string, invocation: Invocation, process: Process) {
    const { random, scheduler, fresh, fail } = this.#world;
    return durable(this.#plan, async (site, input, { idempotencyKey, attempt }) => {
      try {
        this.#ledger.execute(invocation, site, idempotencyKey, attempt, JSON.stringify(input));
      } catch (error) {
        // It must not pass for a failed task.
        fail(error);
      }
      const number = fresh();
      const of = this.#executions.get(invocation.runId) ?? [];
      this.#executions.set(invocation.runId, of);
      of.push({ idempotencyKey, attempt, input, number });
      await scheduler.sleep(random.int(0, MOST_TASK_MS), process, "task");
      return number;
    });
  }

  arrive(): void {
    this.#busyWith(this.#start());
    this.#serve();
  }

  async judge(): Promise<void> {
    const runs = new Map([...this.#world.rows.values()].map((row) => [row.facts.id, endedRun(row)]));
    const evidence: Evidence = { plan: this.#plan, runs, executions: this.#executions };
    for (const run of runs.values()) await judgeRun(run, evidence);
  }

  #busyWith(work: Promise<void>): void {
    this.busy += 1;
    work.then(
      () => {
        this.busy -= 1;
      },
      (error: unknown) => this.#world.fail(error),
    );
  }

  /** Whoever sees a run sends it what it waits for, and now and then wakes it up. */
  #serve(): void {
    const { rows, scheduler, random } = this.#world;
    for (const { facts } of rows.values()) {
      if (this.#served.has(facts.id)) continue;
      this.#served.add(facts.id);
      this.#busyWith(this.#sendEvents(facts.id, (facts.input as unknown as ChildInput).site));
      if (random.chance(0.1)) this.#busyWith(this.#wakeUp(facts.id));
    }
    scheduler.after(15, undefined, "sender", () => this.#serve());
  }

  async #start(): Promise<void> {
    const { random, now, leaseMs } = this.#world;
    const run = newRun(newId("run", now(), random.bytes(16)));
    await ask(this.#world, async ({ store, dispatcher }) => {
      const outcome = await store.start(run, random.chance(0.7) ? leaseMs : undefined);
      if (outcome.type === "created" && outcome.held) dispatcher.accept(outcome.held);
      else dispatcher.wake();
    });
  }

  async #sendEvents(runId: string, site: string): Promise<void> {
    const { random, fresh } = this.#world;
    const mostMs = random.chance(0.3) ? 10 : 80;
    for (const name of eventsOf(planAt(this.#plan, site))) {
      await this.#wait(0, mostMs);
      await this.#send(runId, { kind: "event", name, data: fresh() });
    }
  }

  async #wakeUp(runId: string): Promise<void> {
    await this.#wait(0, 100);
    await this.#send(runId, { kind: "wakeup" });
  }

  async #send(runId: string, body: { kind: "wakeup" } | { kind: "event"; name: string; data: number }): Promise<void> {
    const { random, now } = this.#world;
    const eventId = newId("msg", now(), random.bytes(16));
    await ask(this.#world, async ({ store, dispatcher }) => {
      await store.append({ ns: NS, runId, eventId, body }, MAX_QUEUED);
      if (random.chance(0.8)) dispatcher.wake();
    });
  }

  #wait(least: number, most: number): Promise<void> {
    return this.#world.scheduler.sleep(this.#world.random.int(least, most), undefined, "sender");
  }
}

export function newRun(id: string, site = ROOT.site): NewRun {
  const input = { ...ROOT, site };
  return {
    facts: {
      ns: NS,
      id,
      workflow: WORKFLOW,
      version: VERSION,
      input,
      reference: undefined,
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      parent: undefined,
    },
    requestHash: inputHash([WORKFLOW, input]),
    conflictPolicy: "error",
    trigger: undefined,
  };
}

function endedRun({ facts, records, mail, end }: Row): EndedRun {
  return {
    id: facts.id,
    input: facts.input as unknown as ChildInput,
    records,
    mail,
    status: end?.status ?? "live",
    output: end?.output,
    error: end?.error,
  };
}
