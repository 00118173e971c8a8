import { mock, testAiki } from "@aikirun/testing";
import { event, NonRetryableError, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";

const charge = task({
  name: "charge",
  retry: { type: "fixed", maxAttempts: 3, delayMs: 60_000 },
  async handler(_: { cents: number }): Promise<{ receipt: string }> {
    throw new Error("the real one must not be called");
  },
});
const orderV1 = workflow({ name: "order" }).v("1.0.0", {
  async handler(run, input: { cents: number }) {
    const { receipt } = await charge.with("retry", { type: "fixed", maxAttempts: 2, delayMs: 1_000 }).start(run, input);
    const { data } = await run.events.delivered.wait();
    return `${receipt} for ${data}`;
  },
  events: { delivered: event<string>() },
});
const parentV1 = workflow({ name: "parent" }).v("1.0.0", {
  async handler(run) {
    const order = await orderV1.startAsChild(run, { cents: 5 });
    return (await order.waitForStatus("completed")).success;
  },
});

describe("mocks", () => {
  it("stand in for a task, whose retries stay its own", async () => {
    const aiki = testAiki({
      workflows: [orderV1],
      tasks: [
        mock(charge, ({ cents }, { attempt }) => {
          if (attempt === 1) throw new Error("busy");
          return { receipt: `r${cents}` };
        }),
      ],
    });
    const run = await aiki.start(orderV1, { cents: 7 });
    await aiki.advance(999);
    expect(aiki.calls(charge)).toMatchObject([{ input: { cents: 7 }, attempt: 1, error: new Error("busy") }]);
    await aiki.advance(1);
    expect(aiki.calls(charge)[1]).toMatchObject({ attempt: 2, output: { receipt: "r7" }, runId: run.id });
    await run.events.delivered.send("Ada");
    expect(await run.result()).toBe("r7 for Ada");
  });

  it("are typed by their task", () => {
    // @ts-expect-error the input holds cents
    mock(charge, ({ euros }) => ({ receipt: String(euros) }));
    // @ts-expect-error a receipt is text
    mock(charge, () => ({ receipt: 1 }));
    const aiki = testAiki({ workflows: [orderV1] });
    // @ts-expect-error cents are missing
    const start = () => aiki.start(orderV1, {});
    const receipt: string | undefined = aiki.calls(charge)[0]?.output?.receipt;
    expect([typeof start, receipt]).toEqual(["function", undefined]);
  });

  it("are one for each task", () => {
    const twice = [mock(charge, () => ({ receipt: "a" })), mock(charge, () => ({ receipt: "b" }))];
    expect(() => testAiki({ workflows: [], tasks: twice })).toThrow("Task charge has two mocks");
  });

  it("are demanded for every task by a strict test, even where the workflow catches errors", async () => {
    const catching = workflow({ name: "catching" }).v("1.0.0", {
      handler: (run) => charge.start(run, { cents: 1 }).catch(() => "caught"),
    });
    const aiki = testAiki({ workflows: [catching], strict: true });
    await expect(aiki.start(catching)).rejects.toMatchObject({ code: "TASK_NOT_MOCKED" });
    await expect(aiki.settle()).rejects.toThrow("Task charge has no mock, and this test is strict.");
  });
});

describe("a result", () => {
  it("says what a run waits for that nobody does, down to its children", async () => {
    const aiki = testAiki({ workflows: [orderV1, parentV1], tasks: [mock(charge, () => ({ receipt: "r" }))] });
    const run = await aiki.start(parentV1);
    const [order] = await aiki.runs(orderV1);
    const stuck = [
      "A run has not ended, and nothing is due any more.",
      `  parent@1.0.0 ${run.id} is suspended: it waits for child ${order?.id}.`,
      `  order@1.0.0 ${order?.id} is suspended: it waits for event delivered, which nobody has sent.`,
    ].join("\n");
    await expect(run.result()).rejects.toThrow(stuck);
    await expect(run.waitForStatus("completed")).rejects.toMatchObject({ code: "RUN_STUCK" });
    await expect(aiki.settle()).rejects.toThrow("2 runs have not ended");
    await order?.events.delivered.send("Ada");
    expect(await run.result()).toBe(true);
  });

  it("says that a run is paused, or does not fit its own code", async () => {
    let count = 0;
    const chanceV1 = workflow({ name: "chance" }).v("1.0.0", {
      async handler(run) {
        await run.sleep(`sleep ${count++}`, { days: 1 });
        await run.sleep("more", { days: 1 });
      },
    });
    const aiki = testAiki({ workflows: [chanceV1] });
    const run = await aiki.start(chanceV1);
    await run.pause();
    await expect(run.result()).rejects.toThrow("is paused: resume() lets it go on.");
    await run.resume();
    await expect(run.result()).rejects.toThrow(
      /is stalled: NON_DETERMINISM .* Recorded but not asked for: sleep sleep 0/,
    );
  });

  it("tells why there is none", async () => {
    const failing = task({ name: "failing", handler: async () => Promise.reject(new NonRetryableError("no money")) });
    const failsV1 = workflow({ name: "fails" }).v("1.0.0", { handler: (run) => failing.start(run) });
    const aiki = testAiki({ workflows: [failsV1, orderV1], tasks: [mock(charge, () => ({ receipt: "r" }))] });
    const failed = await aiki.start(failsV1);
    await expect(failed.result()).rejects.toMatchObject({ code: "RUN_NOT_COMPLETED" });
    await expect(failed.result()).rejects.toThrow(/ended failed: TaskFailedError: .*no money \(task:failing/);
    const cancelled = await aiki.start(orderV1, { cents: 1 });
    await cancelled.cancel("enough");
    await expect(cancelled.result()).rejects.toThrow("ended cancelled: enough");
  });

  it("waits no longer than it is asked to, and not for ever", async () => {
    const tickV1 = workflow({ name: "tick" }).v("1.0.0", {
      async handler(run) {
        for (;;) await run.sleep("tick", { days: 100 });
      },
    });
    const aiki = testAiki({ workflows: [tickV1] });
    const run = await aiki.start(tickV1);
    expect(await run.waitForStatus("completed", { timeout: { days: 150 } })).toEqual({
      success: false,
      cause: "timeout",
    });
    expect(aiki.now()).toEqual(new Date("2026-05-31T00:00:00Z"));
    await expect(run.result({ within: { days: 30 } })).rejects.toThrow(
      /by 2026-06-30.*\n.* waits for sleep tick until 2026-07-20/,
    );
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_STUCK" });
    expect(await run.waitForStatus("completed", { signal: AbortSignal.abort() })).toEqual({
      success: false,
      cause: "aborted",
    });
  });
});

it("tells of a run that goes on and on before the test runner loses its patience", async () => {
  const minutesV1 = workflow({ name: "minutes" }).v("1.0.0", {
    async handler(run) {
      for (;;) await run.sleep("a minute", { minutes: 1 });
    },
  });
  const aiki = testAiki({ workflows: [minutesV1] });
  const run = await aiki.start(minutesV1);
  await expect(run.result()).rejects.toThrow(/by 2026-01-01T.+, and goes on and on\. Say how much time may pass/);
});

it("lets several callers wait at once", async () => {
  const napV1 = workflow({ name: "nap" }).v("1.0.0", {
    async handler(run, days: number) {
      await run.sleep("nap", { days });
      return days;
    },
  });
  const aiki = testAiki({ workflows: [napV1] });
  const runs = await Promise.all([3, 1, 2].map((days) => aiki.start(napV1, days)));
  expect(await Promise.all([...runs.map((run) => run.result()), aiki.advance({ days: 1 })])).toEqual([
    3,
    1,
    2,
    undefined,
  ]);
  expect(aiki.now()).toEqual(new Date("2026-01-05T00:00:00Z"));
});

it("lets no time pass for a run that it does not know", async () => {
  const aiki = testAiki({ workflows: [orderV1], tasks: [mock(charge, () => ({ receipt: "r" }))] });
  await aiki.start(orderV1.with("trigger", { type: "delayed", delay: { days: 1 } }), { cents: 1 });
  const unknown = aiki.client.waitForEnd("run_01kdvdna0007vq7wrdymx3unkn", {});
  await expect(unknown).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(aiki.now()).toEqual(new Date("2026-01-01T00:00:00Z"));
});

describe("a test", () => {
  it("is told which child it does not serve", async () => {
    const aiki = testAiki({ workflows: [parentV1] });
    const run = await aiki.start(parentV1).catch((error: unknown) => error);
    const told = run instanceof Error ? Promise.reject(run) : aiki.settle();
    await expect(told).rejects.toThrow(/starts a child of order@1.0.0, which this test does not serve/);
  });

  it("refuses what is no version, the same one twice and a start that is no date", () => {
    expect(() => testAiki({ workflows: [orderV1, orderV1] })).toThrow("order@1.0.0 was given to testAiki twice");
    expect(() => testAiki({ workflows: [{} as typeof orderV1] })).toThrow("testAiki takes workflow versions");
    expect(() => testAiki({ workflows: [], start: new Date("x") })).toThrow("start must be a valid Date");
  });

  it("has a client for code that takes one, with the same refusals", async () => {
    const aiki = testAiki({
      workflows: [orderV1],
      tasks: [mock(charge, () => ({ receipt: "r" }))],
      start: new Date(86_400_000),
    });
    const named = orderV1.with("reference.id", "o1");
    const run = await named.start(aiki.client, { cents: 1 });
    expect((await aiki.start(named, { cents: 1 })).id).toBe(run.id);
    await expect(named.start(aiki.client, { cents: 2 })).rejects.toMatchObject({ code: "REFERENCE_CONFLICT" });
    expect((await orderV1.getHandleByReferenceId(aiki.client, "o1")).id).toBe(run.id);
    await expect(orderV1.getHandleByReferenceId(aiki.client, "o2")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await orderV1.events.delivered.send(aiki.client, run.id, "x")).toEqual([{ id: run.id, outcome: "sent" }]);
    expect(await run.waitForStatus("completed")).toMatchObject({ success: true });
    await expect(run.pause()).rejects.toMatchObject({ code: "RUN_ENDED" });
    const many = await orderV1.startMany(aiki.client, [{ cents: 1 }, { cents: 2 }]);
    expect(many.map(({ success }) => success)).toEqual([true, true]);
    expect(await aiki.runs(orderV1)).toHaveLength(3);
  });
});
