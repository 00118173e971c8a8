/** Workflows that fail in every way that the tests ask for, and what they were seen to do. */
import { event, NonRetryableError, RetryAfterError, TaskFailedError, task, workflow } from "@aikirun/workflow";

/** What happened in the app, by run and name. */
export const seen = new Map<string, unknown[]>();
export function note(runId: string, what: string, value: unknown): void {
  const key = `${runId} ${what}`;
  seen.set(key, [...(seen.get(key) ?? []), value]);
}
/** Switches that a test turns, by name. */
export const mended = new Set<string>();

const charge = task({
  name: "charge",
  handler(cents: number, { run, idempotencyKey }) {
    note(run.id, "charged", idempotencyKey);
    return { cents };
  },
});
const ship = task({
  name: "ship",
  handler(until: number, { run, idempotencyKey, attempt }) {
    const attempts = seen.get(`${run.id} shipped`)?.length ?? 0;
    note(run.id, "shipped", { idempotencyKey, attempt });
    if (attempts < until) throw new RangeError(`no ship ${attempts}`);
    return "shipped";
  },
});

/** Fails twice and completes. */
export const persistent = workflow({ name: "persistent" }).v("1.0.0", {
  retry: { type: "fixed", maxAttempts: 3, delayMs: 1_000 },
  async handler(run, until: number) {
    note(run.id, "attempt", run.runAttempt);
    run.logger.debug(`attempt ${run.runAttempt}`);
    const paid = await charge.start(run, 5);
    return { ...paid, ship: await ship.start(run, until) };
  },
});

export const stubborn = workflow({ name: "stubborn" }).v("1.0.0", {
  retry: { type: "fixed", maxAttempts: 5, delayMs: 10 },
  async handler(run, how: "never" | "later") {
    note(run.id, "attempt", run.runAttempt);
    if (how === "never") throw new NonRetryableError("it is of no use");
    if (run.runAttempt === 1) throw new RetryAfterError({ milliseconds: 400 });
    return run.runAttempt;
  },
});

class CardError extends Error {
  override readonly name = "CardError";
  readonly code = "E_CARD";
}
const decline = task({
  name: "decline",
  handler() {
    throw new CardError("the card was declined", { cause: new TypeError("the bank said no") });
  },
});
const describeError = (error: unknown): Record<string, unknown> => {
  const { name, message, code, cause, stack } = error as CardError;
  return { name, message, code, stack: stack?.includes("failing.ts"), cause: cause && describeError(cause) };
};
/** What a handler sees of a task's error; then it fails with it. */
export const declined = workflow({ name: "declined" }).v("1.0.0", {
  async handler(run) {
    try {
      await decline.start(run);
    } catch (error) {
      const { task, attempts } = error as TaskFailedError;
      note(run.id, "caught", [error instanceof TaskFailedError, task, attempts, describeError(error)]);
      throw error;
    }
  },
});

/** Fails until a test has mended it. */
export const fragile = workflow({ name: "fragile" }).v("1.0.0", {
  async handler(run, name: string) {
    const paid = await charge.start(run, 9);
    const child = await heir.startAsChild(run, name);
    const result = await child.waitForStatus("completed");
    note(run.id, "child", [child.id, result.success]);
    if (!result.success) throw new Error("its child failed");
    return { ...paid, child: result.state.output };
  },
});
export const heir = workflow({ name: "heir" }).v("1.0.0", {
  async handler(run, name: string) {
    await charge.start(run, 1);
    if (!mended.has(name)) throw new Error(`${name} is broken`);
    return name;
  },
});

/** Its own time limit is known from the manifest alone. */
export const patient = workflow({ name: "patient" }).v("1.0.0", {
  timeout: { milliseconds: 500 },
  events: { go: event() },
  async handler(run) {
    await charge.start(run, 1);
    await run.events.go.wait();
    return "went";
  },
});
export const hanging = workflow({ name: "hanging" }).v("1.0.0", {
  async handler(run, limits: { task?: number }) {
    const hang = task({
      name: "hang",
      ...(limits.task !== undefined && { timeout: limits.task }),
      handler: (_: string, { signal, attempt }) =>
        new Promise<string>((resolve, reject) => {
          note(run.id, "begun", attempt);
          if (mended.has("hang")) return resolve("done");
          signal.addEventListener("abort", () => {
            note(run.id, "aborted", (signal.reason as { code?: string }).code);
            reject(signal.reason);
          });
        }),
    });
    return hang.start(run, "x");
  },
});

/** Its code changes under a run when a test says so. */
export const edited = workflow({ name: "edited" }).v("1.0.0", {
  events: { go: event() },
  async handler(run) {
    const paid = await charge.start(run, mended.has("edit") ? 2 : 1);
    await run.events.go.wait();
    return paid;
  },
});

export const failing = [persistent, stubborn, declined, fragile, heir, patient, hanging, edited];
