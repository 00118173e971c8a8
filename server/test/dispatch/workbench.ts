/** A dispatcher on the memory store in virtual time, with an endpoint that does what the test says. */
import type { Command, ExecuteAnswer, ExecuteRequest } from "@aikirun/protocol";
import { entryKey, newId } from "@aikirun/protocol";
import { Random } from "../../simulation/random.js";
import { newProcess, Scheduler } from "../../simulation/scheduler.js";
import type { MessageBody, NewRun } from "../../src/core/run.js";
import type { DeliveryOutcome, Route } from "../../src/dispatch/delivery.js";
import { Dispatcher } from "../../src/dispatch/dispatcher.js";
import type { DispatchSettings } from "../../src/dispatch/settings.js";
import type { Timers } from "../../src/dispatch/timers.js";
import { runVerbs } from "../../src/store/memory.js";
import { MemoryRuns } from "../../src/store/memory-runs.js";
import { type RunStore, StoreUnavailable } from "../../src/store/port.js";

export type Endpoint = (request: ExecuteRequest, signal: AbortSignal) => DeliveryOutcome | Promise<DeliveryOutcome>;

const START = 1_700_000_000_000;

export class Workbench {
  readonly scheduler = new Scheduler(new Random(1), false);
  /** Verbs that reached the store, in order. */
  readonly statements: string[] = [];
  readonly pushes: ExecuteRequest[] = [];
  readonly errors: unknown[] = [];
  readonly runs = new MemoryRuns(
    {
      now: () => this.now,
      afterStatement: (verb) => {
        this.statements.push(verb);
        this.afterStatement?.(verb);
      },
    },
    () => 1,
  );
  readonly store: RunStore = this.#fallible();
  afterStatement: ((verb: string) => void) | undefined;
  /** No statement reaches the store while this is set. */
  storeAway = false;
  endpoint: Endpoint = () => ({ type: "failed", code: "CONNECTION_REFUSED", message: "no endpoint", reach: "refused" });
  routeOf: (workflow: string) => Route | undefined = () => ROUTE;
  /** Time limit of the version, as its manifest has it. */
  timeoutOf: (workflow: string) => number | undefined = () => undefined;

  get now(): number {
    return START + this.scheduler.now;
  }

  timers(): Timers {
    const process = newProcess("dispatcher");
    return {
      monotonic: () => this.scheduler.now,
      after: (ms, run) => this.scheduler.after(ms, process, "timer", run),
      soon: queueMicrotask,
      random: () => 0,
      newId: (prefix) => newId(prefix),
    };
  }

  dispatcher(settings: Partial<DispatchSettings> = {}): Dispatcher {
    const dispatcher = new Dispatcher({
      store: this.store,
      timers: this.timers(),
      settings,
      onError: (error) => this.errors.push(error),
      delivery: {
        route: (facts) => this.routeOf(facts.workflow),
        versionTimeoutMs: (facts) => this.timeoutOf(facts.workflow),
        served: () => [{ workflow: "hello", version: "0.9.0", url: ROUTE.url }],
        deliver: async (_route, _ns, request, signal) => {
          this.pushes.push(request);
          return this.endpoint(request, signal);
        },
      },
    });
    dispatcher.start();
    return dispatcher;
  }

  /** Starts a run: held by a dispatcher, held by a process that is dead, or held by nobody. */
  async start(
    holder?: Dispatcher | "dead",
    workflow = "hello",
    leaseMs = 30_000,
    trigger?: NewRun["trigger"],
  ): Promise<string> {
    const id = newId("run");
    const outcome = await this.runs.start({ ...newRun(id, workflow), trigger }, holder ? leaseMs : undefined);
    if (holder instanceof Dispatcher && outcome.type === "created" && outcome.held) holder.accept(outcome.held);
    return id;
  }

  send(runId: string, body: MessageBody) {
    return this.runs.append({ ns: "default", runId, eventId: newId("msg"), body }, 100);
  }

  async view(runId: string) {
    const run = await this.runs.getRun("default", runId);
    if (!run) throw new Error(`no run ${runId}`);
    return run;
  }

  row(runId: string) {
    const row = this.runs.find("default", runId);
    if (!row) throw new Error(`no run ${runId}`);
    return row;
  }

  /** Lets `ms` of virtual time pass. */
  async pass(ms: number): Promise<void> {
    const until = this.scheduler.now + ms;
    let reached = false;
    this.scheduler.after(ms, undefined, "passed", () => {
      reached = true;
    });
    await this.scheduler.run(() => reached && this.scheduler.now >= until, 1_000_000);
  }

  sleep(ms: number): Promise<void> {
    return this.scheduler.sleep(ms, undefined, "endpoint");
  }

  #fallible(): RunStore {
    const verbs = runVerbs(this.runs);
    return new Proxy<RunStore>(verbs, {
      get: (target, verb: keyof RunStore) => {
        if (verb === "now") return target.now;
        return (...args: never[]) =>
          this.storeAway
            ? Promise.reject(new StoreUnavailable(`${verb}: away`))
            : (target[verb] as (...args: never[]) => unknown)(...args);
      },
    });
  }
}

export const ROUTE: Route = {
  endpointId: "ep_1",
  url: "https://app.test/api/aiki",
  budgetMs: 60_000,
  concurrency: 10,
};

export function answer(
  { run, pushId, fence }: ExecuteRequest,
  state: ExecuteAnswer["state"],
  commands: Command[],
  keeps = false,
): DeliveryOutcome {
  return { type: "answer", answer: { runId: run.id, pushId, ...fence, state, commands, keeps } };
}

/** An endpoint that runs so many tasks one after another, one a push, and then ends. */
export function sequential(tasks: number, keeps = false): Endpoint {
  return (request) => {
    const done = request.history.head.n;
    const commands: Command[] = [taskDone(done)];
    if (done + 1 === tasks) commands.push({ type: "run.completed", output: tasks });
    return answer(request, done + 1 === tasks ? "waiting" : "more", commands, keeps);
  };
}

export function taskDone(index: number): Command {
  return { type: "task.completed", key: entryKey("task", "t:00", index), taskAttempt: 1, output: index };
}

function newRun(id: string, workflow: string): NewRun {
  return {
    facts: {
      ns: "default",
      id,
      workflow,
      version: "1.0.0",
      input: undefined,
      reference: undefined,
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      parent: undefined,
    },
    requestHash: "hash",
    conflictPolicy: "error",
    trigger: undefined,
  };
}
