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

/** A workflow whose code is exchanged between pushes, as a deployment would. */
function changing(first: (run: Parameters<typeof charge.start>[0]) => Promise<unknown>) {
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

describe("replay only", () => {
  it("says whether history fits and runs no task", async () => {
    const { of, change } = changing((run) => charge.start(run, { cents: 1 }));
    await history(of, 1);
    of.records.pop();
    change((run) => charge.start(run, { cents: 1 }).then(() => ship.start(run, "new")));
    expect(await of.push({ replayOnly: true })).toMatchObject({ state: "more", commands: [] });
    change((run) => charge.start(run, { cents: 2 }));
    expect(await of.push({ replayOnly: true })).toMatchObject({ state: "diverged" });
    expect(executed).toEqual([]);
  });
});
