import { AikiError } from "@aikirun/workflow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  declined,
  edited,
  failing,
  fragile,
  hanging,
  heir,
  mended,
  patient,
  persistent,
  seen,
  stubborn,
} from "./failing.js";
import { SOON, type Stage, stage } from "./stage.js";

let on: Stage;
beforeAll(async () => {
  on = await stage(failing);
});
afterAll(() => on?.close());

const saw = (runId: string, what: string) => seen.get(`${runId} ${what}`) ?? [];
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof AikiError ? error.code : String(error)),
  );
const courseOf = async (runId: string) =>
  (await on.aiki.readHistory(runId)).records.filter(({ kind }) => kind === "run").map(({ value }) => value.state);

describe("a workflow's retry", () => {
  it("runs the handler again after its delay, keeps what completed and asks anew for what failed", async () => {
    const handle = await persistent.start(on.aiki, 2);
    // Before that it may wait for a worker that is busy.
    const parked = await on.until(handle.id, ({ waitsFor }) => waitsFor.some(({ kind }) => kind === "retry"));
    expect(parked).toMatchObject({ status: "suspended", runAttempt: 1 });
    expect(parked.waitsFor).toEqual([{ kind: "retry", name: "persistent", at: parked.nextAt }]);
    const outcome = await handle.waitForStatus("completed");
    expect(outcome).toEqual({ success: true, state: { status: "completed", output: { cents: 5, ship: "shipped" } } });
    expect(new Set(saw(handle.id, "attempt"))).toEqual(new Set([1, 2, 3]));
    expect(saw(handle.id, "charged")).toHaveLength(1);
    const [first] = saw(handle.id, "shipped");
    expect(saw(handle.id, "shipped")).toEqual([first, first, first]);
    const { records } = await on.aiki.readHistory(handle.id);
    const run = records.filter(({ kind }) => kind === "run");
    expect(run.map(({ value }) => value.state)).toEqual([
      ...["retrying", "retried", "retrying", "retried"],
      "completed",
    ]);
    for (const [failed, again] of [run.slice(0, 2), run.slice(2, 4)]) {
      if (failed?.value.state !== "retrying") throw new Error("not retrying");
      expect(again?.at).toBeGreaterThanOrEqual(failed.value.nextAttemptAt);
      expect(failed.value).toMatchObject({ error: { code: "TASK_FAILED", cause: { name: "RangeError" } } });
    }
    expect(await handle.refresh()).toMatchObject({ runAttempt: 3 });
  });

  it("ends failed when its attempts are used up; what it was started with comes before the version's own", async () => {
    const handle = await persistent.with("retry", { type: "fixed", maxAttempts: 2, delayMs: 1 }).start(on.aiki, 9);
    const outcome = await handle.waitForStatus("failed");
    expect(outcome).toMatchObject({ success: true, state: { error: { code: "TASK_FAILED" } } });
    expect(await courseOf(handle.id)).toEqual(["retrying", "retried", "failed"]);
  });

  it("heeds NonRetryableError and RetryAfterError", async () => {
    const never = await stubborn.start(on.aiki, "never");
    expect(await never.waitForStatus("failed")).toMatchObject({ state: { error: { name: "NonRetryableError" } } });
    expect(saw(never.id, "attempt")).toEqual([1]);
    const later = await stubborn.start(on.aiki, "later");
    expect(await later.waitForStatus("completed")).toMatchObject({ state: { output: 2 } });
    const [failed, again] = (await on.aiki.readHistory(later.id)).records;
    if (failed?.kind !== "run" || failed.value.state !== "retrying") throw new Error("not retrying");
    expect(failed.value.nextAttemptAt - later.run.createdAt).toBeGreaterThanOrEqual(400);
    expect(again?.at).toBeGreaterThanOrEqual(failed.value.nextAttemptAt);
  });
});

describe("an error", () => {
  it("keeps name, message, code, stack and cause on its way to the handler, the handle and the API", async () => {
    const handle = await declined.start(on.aiki);
    const outcome = await handle.waitForStatus("failed");
    const cause = { name: "TypeError", message: "the bank said no", code: undefined, stack: true, cause: undefined };
    const thrown = { name: "CardError", message: "the card was declined", code: "E_CARD", stack: true, cause };
    expect(saw(handle.id, "caught").at(-1)).toEqual([
      ...[true, "decline", 1],
      expect.objectContaining({ name: "TaskFailedError", code: "TASK_FAILED", cause: thrown }),
    ]);
    const bank = { name: "TypeError", message: "the bank said no", stack: expect.stringContaining("failing.ts") };
    const card = { name: "CardError", message: "the card was declined", code: "E_CARD", cause: bank };
    const error = { name: "TaskFailedError", message: expect.stringContaining("decline"), cause: card };
    expect(outcome).toMatchObject({ success: true, state: { status: "failed", error } });
    expect(await handle.refresh()).toMatchObject({ error, failedTask: expect.stringMatching(/^task:decline:/) });
  });
});

describe("the retry of a failed run", () => {
  it("goes on from where it failed: what completed is kept, a child that failed is started anew", async () => {
    const handle = await fragile.start(on.aiki, "axle");
    expect(await handle.waitForStatus("failed")).toMatchObject({ state: { error: { message: "its child failed" } } });
    mended.add("axle");
    await handle.retry();
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: { cents: 9, child: "axle" } } });
    expect(saw(handle.id, "charged")).toHaveLength(1);
    const [first, second] = saw(handle.id, "child") as [string, boolean][];
    expect([first?.[1], second?.[1]]).toEqual([false, true]);
    expect(first?.[0]).not.toBe(second?.[0]);
    expect(await courseOf(handle.id)).toEqual(["failed", "retried", "completed"]);
    expect(await handle.refresh()).toMatchObject({ runAttempt: 2 });
  });

  it("does not tell a parent again", async () => {
    const parent = await fragile.start(on.aiki, "wheel");
    await parent.waitForStatus("failed");
    const { runs } = await on.aiki.listRuns({ parent: parent.id });
    mended.add("wheel");
    await on.aiki.retryRun(runs[0]?.id ?? "");
    const child = await heir.getHandleById(on.aiki, runs[0]?.id ?? "");
    expect(await child.waitForStatus("completed")).toMatchObject({ success: true });
    const told = "SELECT count(*)::int AS told FROM aiki.mailbox WHERE run_id = $1 AND kind = 'child'";
    expect(await on.rows(told, [parent.id])).toEqual([{ told: 1 }]);
    expect(await parent.refresh()).toMatchObject({ status: "failed" });
  });

  it("is refused for a run that has not failed, and taken once per id", async () => {
    const handle = await stubborn.start(on.aiki, "later");
    expect(await codeOf(handle.retry())).toBe("RUN_NOT_FAILED");
    await handle.waitForStatus("completed");
    const refused = await handle.retry().catch((error: AikiError) => error);
    expect(refused).toMatchObject({ code: "RUN_NOT_FAILED", details: { status: "completed" } });
    expect((refused as AikiError).message).toBe(`${handle.id} is completed: only a failed run can be retried.`);
    expect(await codeOf(on.aiki.retryRun("run_00000000000000000000000000"))).toBe("NOT_FOUND");
    const never = await stubborn.start(on.aiki, "never");
    await never.waitForStatus("failed");
    const id = "msg_00000000000000000000000000";
    await Promise.all([1, 2, 3].map(() => on.aiki.retryRun(never.id, { id })));
    await never.waitForStatus("failed");
    await on.aiki.retryRun(never.id, { id });
    expect(await courseOf(never.id)).toEqual(["failed", "retried", "failed"]);
  });
});

describe("a run's time limit", () => {
  const limitOf = (run: { createdAt: number; endedAt?: number | undefined }) => (run.endedAt ?? 0) - run.createdAt;

  it("of its version ends it failed, not early; a retry gives it the same time again", async () => {
    // As the command line starts it: only the manifest knows the limit.
    const { run } = await on.aiki.startRun({ workflow: "patient", version: "1.0.0" });
    const handle = await patient.getHandleById(on.aiki, run.id);
    expect(await handle.waitForStatus("failed")).toMatchObject({ state: { error: { code: "RUN_TIMEOUT" } } });
    const ended = await handle.refresh();
    expect(limitOf(ended)).toBeGreaterThanOrEqual(1_500);
    expect(ended.error?.message).toContain("within the 1500 ms that it may take");
    await handle.retry();
    await on.until(run.id, ({ status }) => status === "suspended");
    await handle.events.go.send();
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: "went" } });
    expect(await courseOf(run.id)).toEqual(["limited", "failed", "retried", "completed"]);
    expect(saw(run.id, "charged")).toHaveLength(1);
  });

  it("of its start aborts what is in flight, and what comes of that is not recorded", async () => {
    const handle = await hanging.with("timeout", { milliseconds: 400 }).start(on.aiki, {});
    expect(await handle.waitForStatus("failed")).toMatchObject({ state: { error: { code: "RUN_TIMEOUT" } } });
    expect(limitOf(await handle.refresh())).toBeGreaterThanOrEqual(400);
    await expect.poll(() => saw(handle.id, "aborted"), SOON).toEqual(["ABORTED"]);
    expect(await courseOf(handle.id)).toEqual(["failed"]);
    expect((await handle.refresh()).records).toBe(1);
  });

  it("counts from when a delayed run is due", async () => {
    const started = patient.with("trigger", { type: "delayed", delay: 2_100 }).with("timeout", 2_000);
    const handle = await started.start(on.aiki);
    await on.until(handle.id, ({ status }) => status === "suspended");
    await handle.events.go.send();
    expect(await handle.waitForStatus("completed")).toMatchObject({ success: true });
    expect(limitOf(await handle.refresh())).toBeGreaterThanOrEqual(2_100);
  });
});

describe("a task in flight", () => {
  it("is aborted by its own timeout, which is a failed attempt", async () => {
    const handle = await hanging.start(on.aiki, { task: 200 });
    expect(await handle.waitForStatus("failed")).toMatchObject({
      state: { error: { code: "TASK_FAILED", cause: { code: "TASK_TIMEOUT" } } },
    });
    expect(saw(handle.id, "aborted")).toEqual(["TASK_TIMEOUT"]);
  });

  it("is aborted when its run is cancelled", async () => {
    const handle = await hanging.start(on.aiki, {});
    await expect.poll(() => saw(handle.id, "begun"), SOON).toHaveLength(1);
    await handle.cancel("enough");
    expect(await handle.waitForStatus("cancelled")).toMatchObject({ state: { reason: "enough" } });
    await expect.poll(() => saw(handle.id, "aborted"), SOON).toEqual(["ABORTED"]);
  });
});

describe("a stalled run", () => {
  it("goes on when it is requeued, and is not retried", async () => {
    const handle = await edited.start(on.aiki);
    await on.until(handle.id, ({ status }) => status === "suspended");
    mended.add("edit");
    await handle.events.go.send();
    await on.until(handle.id, ({ status }) => status === "stalled");
    expect(await codeOf(handle.retry())).toBe("RUN_NOT_FAILED");
    mended.delete("edit");
    await handle.requeue();
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: { cents: 1 } } });
    expect(await codeOf(handle.requeue())).toBe("RUN_ENDED");
  });
});
