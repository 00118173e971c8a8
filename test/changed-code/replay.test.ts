/** The table of edits, by replay alone: what a comparison says, and what an execution then does. */
import { beforeEach, describe, expect, it } from "vitest";
import { Orchestrator } from "../../sdk/workflow/test/orchestrator.js";
import { type Edit, edits, executed, versionOf } from "./edits.js";

/** A run that `before` has brought to its wait for `go`. */
async function recorded(edit: Edit): Promise<Orchestrator> {
  const of = new Orchestrator(versionOf(edit, "before"));
  for (let round = 0; round < 20; round++) {
    const answer = await of.push();
    if (answer.state === "diverged") throw new Error("Unchanged code diverges.");
    of.commit(answer.commands);
    const [open] = of.open();
    if (open !== undefined) of.settle(open);
    else if (answer.state === "waiting") break;
  }
  expect(of.state("event:go#0")).toMatchObject({ value: { state: "waiting" } });
  executed.length = 0;
  return of;
}

/** The same run, continued by other code. */
function continued(run: Orchestrator, edit: Edit, code: "before" | "after"): Orchestrator {
  const of = new Orchestrator(versionOf(edit, code));
  of.records.push(...run.records);
  return of;
}

function arrive(of: Orchestrator): void {
  of.mailbox.set("go", [null]);
  of.settle("event:go#0");
}

beforeEach(() => {
  executed.length = 0;
});

const kinds = (fate: Edit["fate"]) => edits.filter((edit) => edit.fate === fate);

describe("the table of edits", () => {
  it("has 20 kinds at least, each once, safe ones and unsafe ones", () => {
    expect(new Set(edits.map(({ name }) => name)).size).toBe(edits.length);
    expect(kinds("fits").length).toBeGreaterThanOrEqual(10);
    expect(edits.length - kinds("fits").length).toBeGreaterThanOrEqual(10);
  });

  it.each(edits)("$name: unchanged code fits and completes", async (edit) => {
    const of = await recorded(edit);
    expect(await of.compare()).toEqual({ fits: true });
    arrive(of);
    expect(await of.finish()).toMatchObject({ state: "completed" });
  });
});

describe("a safe edit", () => {
  it.each(kinds("fits"))("$name", async (edit) => {
    const of = continued(await recorded(edit), edit, "after");
    expect(await of.compare()).toEqual({ fits: true });
    expect(executed).toEqual([]);
    arrive(of);
    expect(await of.compare()).toEqual({ fits: true });
    expect(await of.finish()).toMatchObject({ state: "completed" });
  });
});

describe("an unsafe edit", () => {
  it.each([...kinds("diverges"), ...kinds("unasked")])("$name", async (edit) => {
    const { fate, leftover = "", asked = "" } = edit;
    const run = await recorded(edit);
    const of = continued(run, edit, "after");
    expect(await of.compare()).toMatchObject({
      fits: false,
      divergence: {
        leftover: expect.arrayContaining([expect.stringContaining(leftover)]),
        asked: fate === "diverges" ? expect.arrayContaining([expect.stringContaining(asked)]) : [],
      },
    });

    const pushed = await of.push();
    expect(pushed).toMatchObject(fate === "diverges" ? { state: "diverged" } : { state: "waiting", commands: [] });
    arrive(of);
    expect(await of.push()).toMatchObject({
      state: "diverged",
      divergence: {
        leftover: expect.arrayContaining([expect.stringContaining(leftover)]),
        asked: expect.arrayContaining([expect.stringContaining(fate === "diverges" ? asked : 'task ship "the rest"')]),
      },
    });
    expect(executed).toEqual([]);

    const back = continued(of, edit, "before");
    expect(await back.finish()).toMatchObject({ state: "completed" });
  });
});

describe("an edit that throws", () => {
  it.each(kinds("fails"))("$name", async (edit) => {
    const of = continued(await recorded(edit), edit, "after");
    expect(await of.compare()).toMatchObject({
      fits: false,
      divergence: { leftover: expect.arrayContaining([expect.stringContaining(edit.leftover ?? "")]), asked: [] },
      thrown: { name: "TypeError", message: "order.lines is undefined" },
    });
    expect(executed).toEqual([]);
  });
});
