/** What the kit is to carry out, each in a world of its own. */
import { mock, type TaskMock, type TestAiki, type TestAikiOptions } from "@aikirun/testing";
import { event, RetryAfterError, type ServableVersion, task, workflow } from "@aikirun/workflow";

export interface Scenario {
  readonly name: string;
  readonly workflows: readonly ServableVersion[];
  readonly tasks?: readonly TaskMock[];
  readonly options?: Omit<TestAikiOptions, "workflows" | "tasks" | "checkpoints">;
  play(aiki: TestAiki): Promise<unknown>;
  /** What the first run ends with. */
  readonly output: unknown;
  /** Step by step, a slow task delays what was asked for beside it: the records are the same, their instants are not. */
  readonly recordsLater?: boolean;
}

const DAY_MS = 86_400_000;
const step = task({ name: "step", handler: async (name: string) => `${name} done` });
const flaky = task({
  name: "flaky",
  retry: { type: "exponential", maxAttempts: 5, baseDelayMs: 60_000, factor: 10 },
  handler: async (_: string, { attempt }) => {
    if (attempt < 4) throw new Error(`no, ${attempt}`);
    return attempt;
  },
});
const busy = task({
  name: "busy",
  handler: async (_: string, { attempt }) => {
    if (attempt === 1) throw new RetryAfterError({ hours: 2 });
    return attempt;
  },
});
const slow = task({ name: "slow", timeout: { seconds: 30 }, handler: async (_: string) => "in time" });
const patient = task({ name: "patient", handler: async (_: string) => "after all" });

const stepsV1 = workflow({ name: "steps" }).v("1.0.0", {
  async handler(run, input: { steps: number }) {
    const done: string[] = [];
    for (let i = 0; i < input.steps; i++) done.push(await step.start(run, `step ${i}`));
    await run.sleep("a week", { days: 7 });
    return done.length;
  },
});
const retriesV1 = workflow({ name: "retries" }).v("1.0.0", {
  handler: async (run) => [await flaky.start(run, "a"), await busy.start(run, "b")],
});
const parallelV1 = workflow({ name: "parallel" }).v("1.0.0", {
  async handler(run) {
    const nap = async () => {
      await run.sleep("nap", { days: 1 });
      return step.start(run, "after the nap");
    };
    return Promise.all([nap(), patient.start(run, "p"), step.start(run, "at once")]);
  },
});
const timeoutV1 = workflow({ name: "timeout" }).v("1.0.0", {
  handler: (run) => slow.start(run, "x").catch((error: Error) => error.message),
});
const childV1 = workflow({ name: "child" }).v("1.0.0", {
  async handler(run, input: { days: number }) {
    await run.sleep("grow", { days: input.days });
    return step.start(run, `child of ${input.days}`);
  },
});
const parentV1 = workflow({ name: "parent" }).v("1.0.0", {
  async handler(run) {
    const children = await Promise.all([3, 1].map((days) => childV1.startAsChild(run, { days })));
    const ends = await Promise.all(children.map((child) => child.waitForStatus("completed")));
    return ends.map((end) => (end.success ? end.state.output : end.cause));
  },
});
const raceV1 = workflow({ name: "race" }).v("1.0.0", {
  async handler(run) {
    const first = await run.race([
      run.events.paid.wait().then(({ data }) => data),
      run.sleep("deadline", { days: 2 }).then(() => "too late"),
    ]);
    await step.start(run, first);
    return first;
  },
  events: { paid: event<string>() },
});
const queueV1 = workflow({ name: "queue" }).v("1.0.0", {
  async handler(run) {
    await run.sleep("closed", { hours: 8 });
    const first = await run.events.order.wait();
    const second = await run.events.order.wait({ timeout: { days: 1 } });
    const third = await run.events.order.wait({ timeout: { days: 1 } });
    return [first.data, second.timeout || second.data, third.timeout || third.data];
  },
  events: { order: event<number>() },
});

export const scenarios: readonly Scenario[] = [
  {
    name: "many steps",
    workflows: [stepsV1],
    play: (aiki) => aiki.start(stepsV1, { steps: 20 }),
    output: 20,
  },
  {
    name: "retries, by a policy and as a task asks",
    workflows: [retriesV1],
    play: (aiki) => aiki.start(retriesV1),
    output: [4, 2],
  },
  {
    name: "branches, one of them slow",
    workflows: [parallelV1],
    tasks: [
      mock(patient, async (_, { sleep }) => {
        await sleep({ seconds: 40 });
        return "after 40 s";
      }),
    ],
    play: (aiki) => aiki.start(parallelV1),
    output: ["after the nap done", "after 40 s", "at once done"],
    recordsLater: true,
  },
  {
    name: "a task that takes longer than its timeout",
    workflows: [timeoutV1],
    tasks: [
      mock(slow, async (_, { sleep }) => {
        await sleep({ seconds: 31 });
        return "too late";
      }),
    ],
    play: (aiki) => aiki.start(timeoutV1),
    output: "Task slow failed after 1 attempt: Task slow took longer than its timeout of 30000 ms.",
  },
  {
    name: "a parent and its children",
    workflows: [parentV1, childV1],
    play: (aiki) => aiki.start(parentV1),
    output: ["child of 3 done", "child of 1 done"],
  },
  {
    name: "a race that an event wins",
    workflows: [raceV1],
    async play(aiki) {
      const run = await aiki.start(raceV1);
      await aiki.advance({ days: 1 });
      await run.events.paid.send("paid");
    },
    output: "paid",
  },
  {
    name: "a race that time wins",
    workflows: [raceV1],
    async play(aiki) {
      const run = await aiki.start(raceV1);
      await aiki.advance(2 * DAY_MS);
      await run.events.paid.send("paid").catch(() => {});
    },
    output: "too late",
  },
  {
    name: "events before their wait, and one that does not come",
    workflows: [queueV1],
    async play(aiki) {
      const run = await aiki.start(queueV1);
      await run.events.order.send(1);
      await run.events.order.send(2);
    },
    output: [1, 2, true],
  },
  {
    name: "pause, resume, wakeup and a start that comes later",
    workflows: [queueV1],
    async play(aiki) {
      const run = await aiki.start(queueV1.with("trigger", { type: "delayed", delay: { days: 3 } }));
      await aiki.advance({ days: 3 });
      await run.pause();
      await run.events.order.send(1);
      await aiki.advance({ days: 5 });
      await run.wakeup();
      await run.resume();
      await run.events.order.send(2);
      await aiki.advance({ hours: 23 });
      await run.events.order.send(3);
    },
    output: [1, 2, 3],
  },
];
