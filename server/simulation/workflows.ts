/**
 * The workflows of the simulation, written like any user's. A task returns its name and a number that no other execution
 * returns, so that a handler which sees a value that was not recorded gives itself away by the input of the next task.
 */
import {
  event,
  type RunPromise,
  type StandardSchemaV1,
  type Task,
  type TaskContext,
  task,
  workflow,
} from "@aikirun/workflow";

/** What a task of the simulation tells the world when it runs. */
export type Perform = (name: string, input: string, context: TaskContext) => Promise<string>;

/** What a handler tells the world of a sleep: before it, and after it. */
export interface SleepWatch {
  asked(runId: string, name: string): void;
  woke(runId: string, name: string, sleepMs: number, cancelled: boolean): void;
}

export const VERSION = "1.0.0";

/** Each is built when it is asked for: a push needs one. `check` takes its time, as a schema of a user may. */
export function workflows(perform: Perform, sleeps: SleepWatch, check: () => Promise<void>) {
  const slowly: StandardSchemaV1<number> = {
    "~standard": {
      version: 1,
      vendor: "simulation",
      validate: (value) => check().then(() => ({ value: Number(value) })),
    },
  };
  const make = (name: string): Task<string, string> =>
    task({ name, handler: (input: string, context) => perform(name, input, context) });
  const flaky = task({
    name: "f",
    retry: { type: "fixed", maxAttempts: 3, delayMs: 15 },
    async handler(input: string, context) {
      const value = await perform("f", input, context);
      if (context.attempt < 3) throw new Error(`attempt ${context.attempt} fails`);
      return value;
    },
  });
  const hopeless = task({
    name: "h",
    retry: { type: "exponential", maxAttempts: 2, baseDelayMs: 10 },
    async handler(input: string, context) {
      await perform("h", input, context);
      throw new Error("always");
    },
  });
  const sleep = (run: Sleeper, name: string, sleepMs: number): RunPromise<void> => {
    sleeps.asked(run.id, name);
    return run.sleep(name, sleepMs).then(({ cancelled }) => sleeps.woke(run.id, name, sleepMs, cancelled));
  };

  const seq = () =>
    workflow({ name: "seq" }).v(VERSION, {
      async handler(run) {
        const a = await make("a").start(run, "0");
        const b = await make("b").start(run, a);
        return make("c").start(run, b);
      },
    });
  const par = () =>
    workflow({ name: "par" }).v(VERSION, {
      async handler(run) {
        const b = make("b");
        const all = await Promise.all([make("a").start(run, "1"), b.start(run, "2"), b.start(run, "2")]);
        return make("j").start(run, all.join());
      },
    });
  const race = () =>
    workflow({ name: "race" }).v(VERSION, {
      events: { x: event({ schema: slowly }) },
      async handler(run) {
        const winner = await Promise.race([
          sleep(run, "s", 30).then(() => "S"),
          run.events.x.wait().then(({ data }) => `E${data}`),
        ]);
        const t = await make("w").start(run, winner);
        await sleep(run, "s2", 40);
        return make("end").start(run, t);
      },
    });
  const early = () =>
    workflow({ name: "early" }).v(VERSION, {
      events: { x: event<number>() },
      async handler(run) {
        // Meanwhile the event may come, so that it is there before its wait is.
        const a = await make("a").start(run, "0");
        await sleep(run, "s", 30);
        const event = run.events.x.wait().then(({ data }) => `E${data}`);
        const winner = await Promise.race([make("p").start(run, a), event]);
        const t = await make("w").start(run, winner);
        return make("end").start(run, t);
      },
    });
  const taskRace = () =>
    workflow({ name: "rtask" }).v(VERSION, {
      async handler(run) {
        const winner = await Promise.race([make("p").start(run, "0"), make("q").start(run, "0")]);
        const t = await make("w").start(run, winner);
        return make("end").start(run, t);
      },
    });
  const wait = () =>
    workflow({ name: "wait" }).v(VERSION, {
      events: { x: event<number>() },
      async handler(run) {
        const first = await run.events.x.wait({ timeout: 60 });
        const t = await make("t").start(run, first.timeout ? "TO" : `E${first.data}`);
        const second = await run.events.x.wait({ timeout: 60 });
        return make("u").start(run, t + (second.timeout ? "TO" : `E${second.data}`));
      },
    });
  const tiny = () =>
    workflow({ name: "tiny" }).v(VERSION, { handler: (run, input: string) => make("k").start(run, input) });
  const child = () =>
    workflow({ name: "child" }).v(VERSION, {
      async handler(run) {
        const handle = await seq().startAsChild(run);
        const result = await handle.waitForStatus("completed");
        return make("z").start(run, result.success ? String(result.state.output) : result.cause);
      },
    });
  const kids = () =>
    workflow({ name: "kids" }).v(VERSION, {
      async handler(run) {
        const one = async (input: string) => {
          const handle = await tiny().startAsChild(run, input);
          const result = await handle.waitForStatus("completed");
          return result.success ? String(result.state.output) : result.cause;
        };
        const ends = await Promise.all([one("0"), one("0"), one("1")]);
        return make("z").start(run, ends.join());
      },
    });
  const refs = () =>
    workflow({ name: "refs" }).v(VERSION, {
      async handler(run) {
        const one = tiny().with("reference.id", "one").with("trigger", { type: "delayed", delay: 20 });
        const [first, same] = await Promise.all([one.startAsChild(run, "0"), one.startAsChild(run, "0")]);
        const result = await first.waitForStatus("completed");
        const seen = result.success ? String(result.state.output) : result.cause;
        return make("z").start(run, first.id === same.id ? seen : "two children for one reference");
      },
    });
  const late = () =>
    workflow({ name: "late" }).v(VERSION, {
      async handler(run) {
        const handle = await seq().startAsChild(run);
        const first = await handle.waitForStatus("completed", { timeout: 25 });
        const seen = first.success ? String(first.state.output) : first.cause;
        const l = await make("l").start(run, seen);
        const last = await handle.waitForStatus("completed");
        return make("z").start(run, l + (last.success ? String(last.state.output) : last.cause));
      },
    });
  const retries = () =>
    workflow({ name: "flaky" }).v(VERSION, {
      events: { x: event<number>() },
      async handler(run) {
        const r = await flaky.start(run, "0");
        const { data } = await run.events.x.wait();
        const caught = await hopeless.start(run, "0").catch((error: Error) => error.name);
        return make("g").start(run, `${r}${data}${caught}`);
      },
    });
  const branches = () =>
    workflow({ name: "bran" }).v(VERSION, {
      events: { x: event<number>(), y: event<number>() },
      async handler(run) {
        const left = async () => {
          const a = await make("a").start(run, "0");
          await sleep(run, "s", 20);
          return make("a2").start(run, a);
        };
        const right = async () => {
          const { data } = await run.events.x.wait();
          const b = await make("b").start(run, `E${data}`);
          const y = run.events.y.wait({ timeout: 25 }).then((got) => (got.timeout ? "TO" : `Y${got.data}`));
          return Promise.race([y, make("b2").start(run, b)]);
        };
        const both = await Promise.all([left(), right()]);
        return make("end").start(run, both.join());
      },
    });
  // A race that was lost takes no event away: the wait after it gets what is sent.
  const pick = () =>
    workflow({ name: "pick" }).v(VERSION, {
      events: { x: event<number>() },
      async handler(run) {
        await make("a").start(run, "0");
        const event = run.events.x.wait().then(({ data }) => `E${data}`);
        const winner = await run.race([sleep(run, "s", 30).then(() => "S"), event]);
        const w = await make("v").start(run, await make("w").start(run, winner));
        const seen = winner === "S" ? (await run.events.x.wait()).data : 0;
        return make("end").start(run, `${w}${seen}`);
      },
    });
  const crowd = () =>
    workflow({ name: "crowd" }).v(VERSION, {
      events: { x: event<number>(), y: event() },
      async handler(run) {
        const wait = () => run.events.x.wait().then(({ data }) => `E${data}`);
        const kept = wait();
        // While it runs, the time runs out and events come: all of it is read at once.
        const p = run.events.y.wait().then(() => make("p").start(run, "0"));
        const winner = await run.race([wait(), sleep(run, "s", 50).then(() => "S")]);
        const w = await make("v").start(run, await make("w").start(run, winner));
        const seen = [await p, await kept, await wait(), winner === "S" ? await wait() : ""];
        return make("end").start(run, w + seen.join());
      },
    });
  const stop = () =>
    workflow({ name: "stop" }).v(VERSION, {
      events: { x: event<number>(), y: event<number>() },
      async handler(run) {
        const stopped = new AbortController();
        const x = run.events.x.wait({ signal: stopped.signal }).then(
          ({ data }) => `E${data}`,
          (reason: string) => reason,
        );
        const y = run.events.y.wait({ timeout: 40 }).then((got) => (got.timeout ? "TO" : `Y${got.data}`));
        const first = await run.race([make("p").start(run, "0"), y]);
        const w = await make("w").start(run, first);
        stopped.abort("stopped");
        const seen = await x;
        const last = seen === "stopped" ? (await run.events.x.wait()).data : 0;
        return make("end").start(run, `${w}${seen}${last}`);
      },
    });
  const mixed = () =>
    workflow({ name: "mixed" }).v(VERSION, {
      async handler(run) {
        const handle = await seq().startAsChild(run);
        const wait = () =>
          handle.waitForStatus("completed").then((end) => (end.success ? String(end.state.output) : end.cause));
        const p = make("p").start(run, "0");
        const first = await run.race([run.race([wait(), sleep(run, "s", 25).then(() => "S")]), p]);
        const w = await make("w").start(run, first);
        return make("z").start(run, [w, await p, await wait()].join());
      },
    });
  const fails = () =>
    workflow({ name: "fails" }).v(VERSION, {
      async handler(run) {
        await make("a").start(run, "0");
        return hopeless.start(run, "1");
      },
    });

  /** Its first attempt gives up a wait and fails: the next one waits again, and gets what is sent. */
  const rematch = () =>
    workflow({ name: "rematch" }).v(VERSION, {
      retry: { type: "fixed", maxAttempts: 3, delayMs: 10 },
      events: { x: event<number>(), y: event<number>() },
      async handler(run) {
        const x = run.events.x.wait().then(({ data }) => `E${data}`);
        const rival = run.runAttempt === 1 ? hopeless.start(run, "0") : sleep(run, "s", 40).then(() => "S");
        const winner = await run.race([x, rival]);
        const w = await make("w").start(run, winner);
        if (run.runAttempt === 2) throw new Error("the second attempt fails");
        const { data } = await run.events.y.wait();
        return make("g").start(run, `${w}${data}`);
      },
    });
  /** Its first attempt fails in a task, its second by itself. */
  const again = () =>
    workflow({ name: "again" }).v(VERSION, {
      retry: { type: "fixed", maxAttempts: 3, delayMs: 10 },
      events: { x: event<number>() },
      async handler(run) {
        const f = flaky.start(run, "0");
        const a = await make("a").start(run, "0");
        const h = await (run.runAttempt === 1 ? hopeless : make("h")).start(run, a);
        const { data } = await run.events.x.wait();
        if (run.runAttempt === 2) throw new Error("the second attempt fails");
        return make("g").start(run, `${h}${data}${await f}`);
      },
    });
  /** Fails until somebody retries it; what its child does meanwhile must not be lost. */
  const mended = () =>
    workflow({ name: "mended" }).v(VERSION, {
      async handler(run) {
        const handle = await seq().startAsChild(run);
        const k = await make("k").start(run, "0");
        await sleep(run, "s", 30);
        if (run.runAttempt === 1) throw new Error("to be mended");
        const result = await handle.waitForStatus("completed");
        return make("z").start(run, k + (result.success ? String(result.state.output) : result.cause));
      },
    });
  /** A child that failed is started anew by the next attempt. */
  const heir = () =>
    workflow({ name: "heir" }).v(VERSION, {
      retry: { type: "fixed", maxAttempts: 2, delayMs: 10 },
      async handler(run) {
        const handle = await fails().startAsChild(run);
        const result = await handle.waitForStatus("completed");
        if (run.runAttempt === 1) throw new Error("the child failed");
        return make("z").start(run, `${handle.id}${result.success}`);
      },
    });
  /** Nobody sends what it waits for: its time runs out. */
  const slow = () =>
    workflow({ name: "slow" }).v(VERSION, {
      timeout: VERSION_TIMEOUT_MS["slow"] as number,
      events: { never: event() },
      async handler(run) {
        const a = await make("a").start(run, "0");
        await run.events.never.wait();
        return a;
      },
    });

  return {
    seq,
    par,
    race,
    early,
    rtask: taskRace,
    wait,
    tiny,
    child,
    kids,
    refs,
    late,
    flaky: retries,
    bran: branches,
    pick,
    crowd,
    stop,
    mixed,
    fails,
    rematch,
    again,
    mended,
    heir,
    slow,
  };
}

/** Time limits of versions that have one. */
export const VERSION_TIMEOUT_MS: Readonly<Record<string, number>> = { slow: 70 };

export type WorkflowName = keyof ReturnType<typeof workflows>;

/** Events that somebody has to send to a run, in any order. */
export const EVENTS: Readonly<Record<WorkflowName, readonly string[]>> = {
  seq: [],
  par: [],
  race: ["x"],
  early: ["x"],
  rtask: [],
  wait: ["x", "x"],
  tiny: [],
  child: [],
  kids: [],
  refs: [],
  late: [],
  flaky: ["x"],
  bran: ["x", "y"],
  pick: ["x"],
  crowd: ["y", "x", "x", "x"],
  stop: ["x", "y"],
  mixed: [],
  fails: [],
  rematch: ["x", "y"],
  again: ["x"],
  mended: [],
  heir: [],
  slow: [],
};

interface Sleeper {
  readonly id: string;
  sleep(name: string, ms: number): RunPromise<{ cancelled: boolean }>;
}
