/** People: they start runs, send events, cancel, pause and resume, requeue what stalled and retry what failed. */
import { newId } from "@aikirun/protocol";
import { inputHash } from "@aikirun/protocol/canonical";
import type { MessageBody, NewRun } from "../src/core/run.js";
import type { ControlBody, RunFilter } from "../src/store/port.js";
import { ask, MAX_QUEUED } from "./client.js";
import { NS, type Surroundings } from "./surroundings.js";
import { Violation } from "./violation.js";
import { EVENTS, VERSION, type WorkflowName } from "./workflows.js";

/** A run with a longer history is not retried any more. */
const MAX_RETRIED_RECORDS = 12;

export class Users {
  readonly #world: Surroundings;
  /** Users who still have something to do. */
  busy = 0;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** Somebody starts a run, sends its events, and sometimes meddles. */
  arrive(): void {
    this.busy += 1;
    this.#live().then(
      () => {
        this.busy -= 1;
      },
      (error: unknown) => this.#world.fail(error),
    );
  }

  /** Requeues what stalled, retries what failed and resumes what was left paused, from time to time. */
  operate(retries: boolean): void {
    const { rows, scheduler, random, fail } = this.#world;
    for (const { status, facts, records } of rows.values()) {
      if (status === "stalled") this.#send(facts.id, { kind: "requeue" }).catch(fail);
      // A pause that was answered "ended" may still arrive, late, at a run that was retried meanwhile.
      if (status === "paused" && this.busy === 0) this.#send(facts.id, { kind: "resume" }).catch(fail);
      if (retries && status === "failed" && records.length < MAX_RETRIED_RECORDS && random.chance(0.7)) {
        this.#retry(facts.id).catch(fail);
      }
    }
    scheduler.after(random.int(20, 150), undefined, "operator", () => this.operate(retries));
  }

  /** Two people may retry one run at the same time. */
  async #retry(runId: string): Promise<void> {
    const { random, now } = this.#world;
    const eventId = newId("msg", now(), random.bytes(16));
    this.busy += 1;
    await ask(this.#world, async ({ store, dispatcher }) => {
      await store.retry(NS, runId, eventId);
      if (random.chance(0.8)) dispatcher.wake();
    });
    this.busy -= 1;
  }

  async #live(): Promise<void> {
    const { random, fresh } = this.#world;
    const run = this.#newRun();
    const { id, workflow } = run.facts;
    await this.#wait(0, 20);
    await this.#start(run);
    const meddling = random.chance(0.35) ? this.#meddle(id) : undefined;
    const mostMs = random.chance(0.3) ? 15 : 90;
    for (const name of EVENTS[workflow as WorkflowName]) {
      await this.#wait(0, mostMs);
      await this.#send(id, { kind: "event", name, data: fresh() });
    }
    await meddling;
  }

  #newRun(): NewRun {
    const { random, now } = this.#world;
    const workflow = random.pick(Object.keys(EVENTS) as WorkflowName[]);
    const input = workflow === "tiny" ? "0" : undefined;
    const facts = {
      ns: NS,
      id: newId("run", now(), random.bytes(16)),
      workflow,
      version: VERSION,
      input,
      reference: undefined,
      retry: undefined,
      timeoutMs: random.chance(0.12) ? random.int(20, 300) : undefined,
      pool: random.chance(0.3) ? this.#world.pool : undefined,
      parent: undefined,
    };
    return {
      facts,
      requestHash: inputHash([workflow, input ?? null]),
      conflictPolicy: "error",
      trigger: random.chance(0.2) ? { delayMs: random.int(0, 50) } : undefined,
    };
  }

  #start(run: NewRun): Promise<void> {
    const { random, leaseMs } = this.#world;
    return ask(this.#world, async ({ store, dispatcher }) => {
      const outcome = await store.start(run, random.chance(0.7) ? leaseMs : undefined);
      if (outcome.type !== "created" && outcome.type !== "existing") throw new Violation("START", outcome.type);
      if (outcome.type === "created" && outcome.held) dispatcher.accept(outcome.held);
      else dispatcher.wake();
    });
  }

  async #meddle(runId: string): Promise<void> {
    await this.#wait(0, 120);
    const { random, rows } = this.#world;
    const kind = random.pick(["cancel", "pause", "wakeup", "wakeup"] as const);
    // Now and then somebody means every run of the same workflow.
    const workflow = [...rows.values()].find(({ facts }) => facts.id === runId)?.facts.workflow;
    const whom = workflow !== undefined && random.chance(0.2) ? { workflow } : runId;
    await this.#control(whom, kind === "cancel" ? { kind, reason: "enough" } : { kind });
    if (kind !== "pause") return;
    await this.#wait(0, 60);
    await this.#control(whom, { kind: "resume" });
  }

  #control(whom: string | RunFilter, body: ControlBody): Promise<void> {
    return typeof whom === "string" ? this.#send(whom, body) : this.#sendAll(whom, body);
  }

  /** Page after page, each again under the same id until its outcome is known. */
  async #sendAll(filter: RunFilter, body: ControlBody): Promise<void> {
    const { random, now } = this.#world;
    const eventId = newId("msg", now(), random.bytes(16));
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const where = { ns: NS, filter, cursor, limit: 1 };
      await ask(this.#world, async ({ store, dispatcher }) => {
        ({ cursor } = await store.appendWhere(where, { eventId, body }));
        if (random.chance(0.8)) dispatcher.wake();
      });
    }
  }

  /** The same message again, under the same id, until its outcome is known. */
  async #send(runId: string, body: MessageBody): Promise<void> {
    const { random, now } = this.#world;
    const eventId = newId("msg", now(), random.bytes(16));
    await ask(this.#world, async ({ store, dispatcher }) => {
      const leaseMs = body.kind === "event" && random.chance(0.6) ? dispatcher.leaseOfEvent() : undefined;
      const outcome = await store.append({ ns: NS, runId, eventId, body }, MAX_QUEUED, leaseMs);
      if (body.kind === "cancel" && random.chance(0.5)) dispatcher.cancelSent(NS, runId);
      if (outcome.type === "appended" && outcome.held) dispatcher.accept(outcome.held);
      else if (random.chance(0.8)) dispatcher.wake();
    });
  }

  #wait(least: number, most: number): Promise<void> {
    return this.#world.scheduler.sleep(this.#world.random.int(least, most), undefined, "user");
  }
}
