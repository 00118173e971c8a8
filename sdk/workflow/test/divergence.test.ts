import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { event, task, workflow } from "@aikirun/workflow";
import type { Host } from "@aikirun/workflow/replay";
import { describe, expect, it } from "vitest";
import { Orchestrator, stillHost } from "./orchestrator.js";

const executed: string[] = [];
const charge = task({
  name: "charge-card",
  handler: ({ cents }: { cents: number }) => void executed.push(`charge ${cents}`),
});
const ship = task({ name: "ship", handler: (id: string) => void executed.push(`ship ${id}`) });

type Run = Parameters<typeof charge.start>[0];

/** A workflow whose code is exchanged between pushes, as a deployment would. */
function changing(first: (run: Run) => Promise<unknown>) {
  let code = first;
  const version = workflow({ name: "changing" }).v("1", { handler: (run) => code(run) });
  const of = new Orchestrator(version);
  const change = (next: typeof first): void => {
    code = next;
  };
  return { of, change };
}

async function history(of: Orchestrator, pushes: number): Promise<void> {
  for (let i = 0; i < pushes; i++) {
    const answer = await of.push();
    if (answer.state === "diverged") throw new Error("diverged too early");
    of.commit(answer.commands);
  }
  executed.length = 0;
}

describe("a divergence", () => {
  it("names the call and the leftovers, and executes nothing", async () => {
    const { of, change } = changing(async (run) => {
      await charge.start(run, { cents: 999 });
      await run.sleep("grace", 10);
    });
    await history(of, 1);
    change(async (run) => {
      await charge.start(run, { cents: 1000 });
      await run.sleep("grace", 10);
    });
    const answer = await of.push();
    expect(answer).toEqual({
      state: "diverged",
      divergence: {
        leftover: [expect.stringMatching(/^task charge-card #1 \(input [0-9a-f]{8}\)$/), "sleep grace #1"],
        asked: ['task charge-card {"cents":1000}'],
      },
    });
    expect(executed).toEqual([]);
  });

  it("shows a recorded input that is the run's input, a result, or a part of one", async () => {
    const order = { lines: [{ sku: "a-1" }], to: "Ada" };
    const load = task({ name: "load", handler: async () => ({ address: "Rue 1", at: { zip: "x".repeat(200) } }) });
    const any = task({ name: "any", handler: async (_input: unknown) => null });
    let changed = false;
    const version = workflow({ name: "showing" }).v("1", {
      async handler(run, input: typeof order) {
        if (changed) return any.start(run, "new");
        const place = await load.start(run);
        await any.start(run, input);
        await any.start(run, input.lines[0]);
        await any.start(run, place.address);
        await any.start(run, place.at);
        return any.start(run, "a literal");
      },
    });
    const of = new Orchestrator(version, order);
    await history(of, 6);
    of.records.pop();
    changed = true;
    const answer = await of.push();
    expect(answer.state === "diverged" && answer.divergence.leftover).toEqual([
      "task load #1",
      'task any #1 {"lines":[{"sku":"a-1"}],"to":"Ada"}',
      'task any #1 {"sku":"a-1"}',
      'task any #1 "Rue 1"',
      `task any #1 {"zip":"${"x".repeat(72)}…`,
      expect.stringMatching(/^task any #1 \(input [0-9a-f]{8}\)$/),
    ]);
  });

  it("names children and waits for them as the code does", async () => {
    const survey = workflow({ name: "survey" }).v("1", { handler: async (_run, _input: { about: string }) => null });
    const { of, change } = changing(async (run) => {
      const child = await survey.startAsChild(run, { about: "a" });
      await survey.with("reference.id", "order:1").startAsChild(run, { about: "b" });
      await child.waitForStatus("completed");
    });
    await history(of, 2);
    change((run) => ship.start(run, "a"));
    const answer = await of.push();
    expect(answer.state === "diverged" && answer.divergence.leftover).toEqual([
      expect.stringMatching(/^child survey@1 #1 \(input [0-9a-f]{8}\)$/),
      "child survey@1 #1 (reference order:1)",
      "wait for child survey@1 to be completed #1",
    ]);
    expect(await of.compare()).toMatchObject({ alike: "child survey@1 / task ship" });
  });

  it.each<[string, Parameters<typeof changing>[0], string]>([
    ["a renamed sleep", (run) => charge.start(run, { cents: 1 }).then(() => run.sleep("other", 10)), "sleep other"],
    ["a task put before", (run) => ship.start(run, "x").then(() => charge.start(run, { cents: 1 })), 'task ship "x"'],
  ])("is %s", async (_what, changed, asked) => {
    const { of, change } = changing((run) => charge.start(run, { cents: 1 }).then(() => run.sleep("grace", 10)));
    await history(of, 1);
    change(changed);
    expect(await of.push()).toMatchObject({ state: "diverged", divergence: { asked: [asked] } });
    expect(executed).toEqual([]);
  });

  it("is told apart from a slow branch by waiting until all is quiet", async () => {
    const { of, change } = changing((run) => Promise.all([charge.start(run, { cents: 1 }), ship.start(run, "a")]));
    await history(of, 1);
    change(async (run) => {
      const slow = new Promise((resolve) => setTimeout(resolve, 30)).then(() => ship.start(run, "a"));
      await Promise.all([charge.start(run, { cents: 1 }), slow, charge.start(run, { cents: 2 })]);
    });
    // The fresh charge meets a leftover until the slow branch has asked for it.
    expect(await of.push({ graceMs: 10_000 })).toMatchObject({
      state: "waiting",
      commands: [{ type: "task.completed" }, { type: "run.completed" }],
    });
    expect(executed).toEqual(["charge 2"]);
  });

  it("is not believed by a process that was blocked meanwhile, while input waits to be read", async () => {
    const { of, change } = changing((run) => Promise.all([charge.start(run, { cents: 1 }), ship.start(run, "a")]));
    await history(of, 1);
    const background = promisify(pbkdf2);
    change(async (run) => {
      const slow = background("a", "b", 20_000, 16, "sha256").then(() => ship.start(run, "a"));
      await Promise.all([charge.start(run, { cents: 1 }), slow, charge.start(run, { cents: 2 })]);
    });
    const host: Host = {
      ...stillHost,
      setTimer(ms, callback) {
        const stop = stillHost.setTimer(ms, callback);
        const until = performance.now() + 300;
        while (performance.now() < until);
        return stop;
      },
    };
    expect((await of.push({ host, graceMs: 20 })).state).toBe("waiting");
  });

  it("waits for its grace through the host's timer only", async () => {
    const timers: number[] = [];
    const host: Host = {
      ...stillHost,
      setTimer(ms, callback) {
        timers.push(ms);
        setImmediate(callback);
        return () => {};
      },
    };
    const { of, change } = changing((run) => ship.start(run, "a"));
    await history(of, 1);
    of.records.pop();
    change((run) => ship.start(run, "b"));
    expect(await of.push({ host, graceMs: 1_000 })).toMatchObject({ state: "diverged" });
    expect(timers).toEqual([1_000]);
  });

  it("found after a due retry ran keeps what the retry did", async () => {
    let calls = 0;
    const flaky = task({
      name: "flaky",
      retry: { type: "fixed", maxAttempts: 2, delayMs: 1 },
      handler: async () => {
        if (++calls === 1) throw new Error("once");
      },
    });
    const { of, change } = changing((run) => Promise.all([flaky.start(run), ship.start(run, "a")]));
    await history(of, 1);
    of.settle(of.open()[0] as string);
    change((run) => flaky.start(run).then(() => ship.start(run, "b")));
    const answer = await of.push();
    expect(answer).toMatchObject({ state: "more", commands: [{ type: "task.completed", taskAttempt: 2 }] });
    if (answer.state !== "diverged") of.commit(answer.commands);
    expect(await of.push()).toMatchObject({ state: "diverged" });
  });
});

describe("no divergence", () => {
  it.each<[string, Parameters<typeof changing>[0]]>([
    ["calls are reordered", (run) => ship.start(run, "a").then(() => charge.start(run, { cents: 1 }))],
    [
      "a call is appended",
      (run) =>
        charge
          .start(run, { cents: 1 })
          .then(() => ship.start(run, "a"))
          .then(() => ship.start(run, "b")),
    ],
    ["the last call is removed", (run) => charge.start(run, { cents: 1 })],
    [
      "a sleep's duration is changed",
      (run) =>
        charge
          .start(run, { cents: 1 })
          .then(() => ship.start(run, "a"))
          .then(() => run.sleep("grace", 99)),
    ],
  ])("when %s", async (_what, changed) => {
    const { of, change } = changing((run) => charge.start(run, { cents: 1 }).then(() => ship.start(run, "a")));
    await history(of, 2);
    of.records.pop();
    change(changed);
    expect((await of.push()).state).not.toBe("diverged");
  });

  it("when a fast branch is ahead of a slow one that has not asked for its history yet", async () => {
    const branches = workflow({ name: "branches" }).v("1", {
      async handler(run) {
        const branch = async (name: string, length: number) => {
          for (let i = 0; i < length; i++) {
            await ship.start(run, `${name}${i}`);
            await run.sleep(name, 10);
          }
        };
        await Promise.all([branch("a", 4), branch("b", 2), run.events.go.wait()]);
      },
      events: { go: event() },
    });
    for (const pick of [(open: string[]) => open[0], (open: string[]) => open.at(-1)]) {
      const of = new Orchestrator(branches);
      of.mailbox.set("go", [null]);
      expect(await of.finish(pick)).toEqual({ state: "completed" });
    }
  });
});

describe("a comparison", () => {
  const recorded = (run: Run) =>
    charge
      .start(run, { cents: 1 })
      .then(() => ship.start(run, "a"))
      .then(() => run.sleep("grace", 10));
  /** The run has charged, shipped and sleeps; then the code is changed. */
  async function changedTo(next: (run: Run) => Promise<unknown>): Promise<Orchestrator> {
    const { of, change } = changing(recorded);
    await history(of, 3);
    change(next);
    return of;
  }

  it("fits when the code merely goes on, and runs no task", async () => {
    const of = await changedTo((run) => Promise.all([recorded(run), ship.start(run, "new")]));
    expect(await of.compare()).toEqual({ fits: true });
    of.settle("sleep:grace#0");
    expect(await of.compare()).toEqual({ fits: true });
    expect(executed).toEqual([]);
  });

  it("fits when a task is to be tried again, due or not, and does not try it", async () => {
    let attempts = 0;
    const flaky = task({
      name: "flaky",
      retry: { type: "fixed", maxAttempts: 9, delayMs: 1 },
      handler: async () => {
        attempts++;
        throw new Error("again");
      },
    });
    const { of } = changing((run) => flaky.start(run));
    await history(of, 1);
    expect(await of.compare()).toEqual({ fits: true });
    of.settle(of.open()[0] as string);
    expect(await of.compare()).toEqual({ fits: true });
    expect(attempts).toBe(1);
  });

  it("fits when the end was removed and the run ends", async () => {
    const of = await changedTo((run) => charge.start(run, { cents: 1 }));
    expect(await of.compare()).toEqual({ fits: true });
  });

  it("names both sides, and is alike for every input", async () => {
    const changed = async (cents: number) => {
      const of = await changedTo((run) => charge.start(run, { cents }).then(() => ship.start(run, "a")));
      return of.compare();
    };
    expect(await changed(2)).toEqual({
      fits: false,
      divergence: {
        leftover: [
          expect.stringMatching(/^task charge-card #1 \(input /),
          expect.stringMatching(/^task ship #1/),
          "sleep grace #1",
        ],
        asked: ['task charge-card {"cents":2}'],
      },
      alike: "task charge-card / task charge-card",
    });
    expect(await changed(3)).toMatchObject({ alike: "task charge-card / task charge-card" });
  });

  it("tells a call that is missing in the middle before the run asks for anything new", async () => {
    const of = await changedTo((run) => charge.start(run, { cents: 1 }).then(() => run.sleep("grace", 10)));
    expect(await of.compare()).toMatchObject({
      fits: false,
      divergence: { leftover: [expect.stringContaining("task ship")], asked: [] },
      alike: "task ship / nothing",
    });
    expect((await of.push()).state).toBe("waiting");
  });

  it("tells what the handler throws before it asks for what is recorded", async () => {
    const of = await changedTo(async () => {
      throw new TypeError("input.customer is undefined");
    });
    expect(await of.compare()).toMatchObject({
      fits: false,
      divergence: { leftover: expect.arrayContaining(["sleep grace #1"]), asked: [] },
      alike: "task charge-card / TypeError",
      thrown: { name: "TypeError", message: "input.customer is undefined" },
    });
  });

  it("fits when a recorded failure ends the run", async () => {
    const broken = task({
      name: "broken",
      handler: async () => {
        throw new Error("for good");
      },
    });
    const { of } = changing((run) => broken.start(run));
    await history(of, 1);
    of.records.pop();
    expect(await of.compare()).toEqual({ fits: true });
  });

  const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  it("waits for slow code that is not a task, before its calls and between them", async () => {
    const slow = async (run: Run, cents: number) => {
      await later(60);
      await charge.start(run, { cents });
      await later(60);
      await ship.start(run, "a");
      await later(60);
      await run.sleep("grace", 10);
    };
    expect(await (await changedTo((run) => slow(run, 1))).compare()).toEqual({ fits: true });
    expect(await (await changedTo((run) => slow(run, 2))).compare()).toMatchObject({ fits: false });
    expect(executed).toEqual([]);
  });

  it("takes a slow branch for no divergence while another one waits", async () => {
    const of = await changedTo((run) =>
      Promise.all([
        run.sleep("grace", 10),
        later(60).then(() => charge.start(run, { cents: 1 })),
        ship.start(run, "a"),
      ]),
    );
    expect(await of.compare({ graceMs: 10_000 })).toEqual({ fits: true });
  });

  it("does not know when the handler hangs on something that is not durable", async () => {
    const of = await changedTo(() => new Promise(() => {}));
    expect(await of.compare({ budgetMs: 50 })).toBeUndefined();
    // Nothing of history is missing here, so that whatever the handler does next is new.
    const hung = await changedTo((run) => recorded(run).then(() => new Promise(() => {})));
    hung.settle("sleep:grace#0");
    expect(await hung.compare({ budgetMs: 50 })).toEqual({ fits: true });
  });

  it("leaves the handler's calls after it without effect", async () => {
    const of = await changedTo((run) =>
      recorded(run)
        .then(() => later(30))
        .then(() => ship.start(run, "late")),
    );
    of.settle("sleep:grace#0");
    expect(await of.compare()).toEqual({ fits: true });
    await later(60);
    expect(executed).toEqual([]);
  });
});
