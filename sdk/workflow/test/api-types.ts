/** The public types: this file is compiled with the tests and never run. A refusal is an expected error. */
import type { WorkflowClient } from "@aikirun/protocol";
import {
  type Args,
  event,
  type Json,
  type RunContext,
  type ServableVersion,
  type StandardSchemaV1,
  type TaskFailedError,
  task,
  workflow,
} from "@aikirun/workflow";
import { expectTypeOf } from "vitest";

declare const aiki: WorkflowClient;
declare const anyRun: RunContext;
declare function schemaOf<Input, Output = Input>(): StandardSchemaV1<Input, Output>;
declare function serve(workflows: readonly ServableVersion[]): void;

declare function checks(claim: string, scope: () => unknown): void;

// Types of tasks
checks("infer input and output, and give back what was recorded", async () => {
  const charge = task({
    name: "charge",
    retry: { type: "exponential", maxAttempts: 5, baseDelayMs: 500, maxDelayMs: 30_000 },
    timeout: { seconds: 30 },
    async handler(input: { cents: number }, context) {
      expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(context.idempotencyKey).toEqualTypeOf<string>();
      return { at: new Date(), cents: input.cents };
    },
  });
  expectTypeOf(await charge.start(anyRun, { cents: 1 })).toEqualTypeOf<{ at: string; cents: number }>();
  // @ts-expect-error a wrong input
  charge.start(anyRun, { cents: "1" });
  // @ts-expect-error no input
  charge.start(anyRun);
  charge.with("retry", { type: "never" }).start(anyRun, { cents: 1 });
  // @ts-expect-error an unknown option
  charge.with("pool", "gpu");
  // @ts-expect-error an unknown policy
  charge.with("retry", { type: "sometimes" });
});

checks("take no input when the handler takes none, and may be synchronous", async () => {
  const ping = task({ name: "ping", handler: () => 7 });
  expectTypeOf(await ping.start(anyRun)).toEqualTypeOf<number>();
  // @ts-expect-error an input that nobody takes
  ping.start(anyRun, 1);
  const maybe = task({ name: "maybe", async handler(_input: string | undefined) {} });
  maybe.start(anyRun);
  maybe.start(anyRun, "x");
  expectTypeOf(await maybe.start(anyRun)).toEqualTypeOf<void>();
});

checks("take from a schema that transforms what the caller gives and what the handler sees", async () => {
  const remind = task({
    name: "remind",
    schema: { input: schemaOf<string, Date>() },
    handler(input) {
      expectTypeOf(input).toEqualTypeOf<Date>();
      return input.getTime();
    },
  });
  expectTypeOf(await remind.start(anyRun, "2026-01-01")).toEqualTypeOf<number>();
  // @ts-expect-error the schema's output is not its input
  remind.start(anyRun, new Date());
});

// Types of workflows
const survey = workflow({ name: "survey" }).v("1.0.0", {
  async handler(_run, input: { customerId: string }) {
    return { answers: [1, 2], customer: input.customerId };
  },
});
const checkout = workflow({ name: "checkout" }).v("1.0.0", {
  async handler(run, input: { customerId: string; cents: number }) {
    const answer = await run.events.delivered.wait({ timeout: { days: 3 } });
    if (answer.timeout) {
      // @ts-expect-error a timeout has no data
      answer.data;
      expectTypeOf(await run.sleep("grace", { days: 1 })).toEqualTypeOf<{ cancelled: boolean }>();
    } else expectTypeOf(answer.data).toEqualTypeOf<{ signedBy: string; at: string }>();
    const forever = await run.events.delivered.wait();
    expectTypeOf(forever).toEqualTypeOf<{ timeout: false; data: { signedBy: string; at: string } }>();
    expectTypeOf((await run.events.poked.wait()).data).toEqualTypeOf<void>();
    expectTypeOf((await run.events.moved.wait()).data).toEqualTypeOf<Date>();
    // @ts-expect-error an event that was not declared
    run.events.missing;
    const child = await survey.startAsChild(run, { customerId: input.customerId });
    const result = await child.waitForStatus("completed");
    if (!result.success) expectTypeOf(result.cause).toEqualTypeOf<"run_terminated">();
    const timed = await child.waitForStatus("failed", { timeout: 5 });
    if (timed.success) expectTypeOf(timed.state.error.message).toEqualTypeOf<string>();
    else expectTypeOf(timed.cause).toEqualTypeOf<"run_terminated" | "timeout">();
    return { survey: result.success ? result.state.output : null };
  },
  events: {
    delivered: event<{ signedBy: string; at: Date }>(),
    poked: event(),
    moved: event({ schema: schemaOf<string, Date>() }),
  },
});

checks("take a policy and a time limit beside the handler, and other ones for a start", async () => {
  const limited = workflow({ name: "limited" }).v("1.0.0", {
    retry: { type: "jittered", maxAttempts: 3, baseDelayMs: 100 },
    timeout: { hours: 2 },
    async handler(run, input: number) {
      expectTypeOf(run.runAttempt).toEqualTypeOf<number>();
      return input;
    },
  });
  serve([limited]);
  const starter = limited.with("retry", { type: "never" }).with("timeout", 5_000).with("pool", "gpu");
  const handle = await starter.start(aiki, 1);
  expectTypeOf(await handle.retry()).toEqualTypeOf<void>();
  expectTypeOf(await handle.requeue()).toEqualTypeOf<void>();
  expectTypeOf((await starter.startAsChild(anyRun, 1)).id).toEqualTypeOf<string>();
  // @ts-expect-error options belong to a start, not to the code that is served
  serve([starter]);
  // @ts-expect-error a duration where a policy belongs
  limited.with("retry", { seconds: 5 });
  // @ts-expect-error a policy where a duration belongs
  limited.with("timeout", { type: "never" });
  // @ts-expect-error an unknown option
  limited.with("priority", 1);
});

checks("infer events that stand after the handler, input and output", async () => {
  const handle = await checkout.start(aiki, { customerId: "c", cents: 1 });
  // @ts-expect-error a member is missing
  checkout.start(aiki, { customerId: "c" });
  const result = await handle.waitForStatus("completed");
  if (result.success) {
    expectTypeOf(result.state.output).toEqualTypeOf<{ survey: { answers: number[]; customer: string } | null }>();
  } else expectTypeOf(result.cause).toEqualTypeOf<"run_terminated">();
  const timed = await handle.waitForStatus("completed", { timeout: 1, signal: new AbortController().signal });
  if (!timed.success) expectTypeOf(timed.cause).toEqualTypeOf<"run_terminated" | "timeout" | "aborted">();
});

checks("type what is sent to events", async () => {
  const handle = await checkout.getHandleById(aiki, "run_1");
  await handle.events.delivered.send({ signedBy: "Ada", at: new Date() });
  await handle.events.delivered.with("reference.id", "d1").send({ signedBy: "Ada", at: new Date() });
  await handle.events.poked.send();
  await handle.events.moved.send("2026-01-01");
  // @ts-expect-error data is missing
  handle.events.delivered.send();
  // @ts-expect-error a void event has no data
  handle.events.poked.send(1);
  await checkout.events.delivered.send(aiki, ["run_1"], { signedBy: "Ada", at: new Date() });
  await checkout.events.poked.sendByReferenceId(aiki, "order-1");
  // @ts-expect-error wrong data
  checkout.events.delivered.send(aiki, "run_1", { signedBy: 1 });
});

checks("start many, typed as one", async () => {
  const outcomes = await survey.startMany(aiki, [{ customerId: "a" }, { customerId: "b" }], {
    reference: (input) => input.customerId,
  });
  for (const outcome of outcomes) {
    if (!outcome.success) continue;
    const ended = await outcome.handle.waitForStatus("completed");
    if (ended.success) expectTypeOf(ended.state.output.answers).toEqualTypeOf<number[]>();
  }
  // @ts-expect-error a wrong input among right ones
  survey.startMany(aiki, [{ customerId: "a" }, { customerId: 1 }]);
  // @ts-expect-error one reference id for many
  survey.startMany(aiki, [{ customerId: "a" }], { reference: "a" });
});

checks("lose servability with a reference or a trigger", () => {
  serve([checkout, survey]);
  // @ts-expect-error options belong to a start
  serve([checkout.with("reference.id", "order-1")]);
  // @ts-expect-error options belong to a start
  serve([checkout.with("trigger", { type: "delayed", delay: { hours: 1 } })]);
  checkout
    .with("reference", { id: "a", conflictPolicy: "return_existing" })
    .with("trigger", { type: "at", at: new Date() });
  // @ts-expect-error an unknown option
  checkout.with("color", "red");
  // @ts-expect-error a wrong policy
  checkout.with("reference", { id: "a", conflictPolicy: "maybe" });
});

checks("take no input when the handler takes none; take schemas before the handler", async () => {
  const tick = workflow({ name: "tick" }).v("1", {
    async handler(run) {
      await run.sleep("s", 1);
    },
  });
  tick.start(aiki);
  // @ts-expect-error an input that nobody takes
  tick.start(aiki, 1);
  const typed = workflow({ name: "typed" }).v("1", {
    schema: { input: schemaOf<{ at: string }, { at: Date }>(), output: schemaOf<{ ok: boolean }>() },
    async handler(_run, input) {
      expectTypeOf(input).toEqualTypeOf<{ at: Date }>();
      return { ok: true };
    },
  });
  typed.start(aiki, { at: "now" });
  const loose = workflow({ name: "loose" }).v("1", { async handler(_run, _input: unknown) {} });
  loose.start(aiki);
  loose.start(aiki, { anything: 1 });
});

checks("let a workflow start itself when its result is annotated", () => {
  const down = workflow({ name: "down" }).v("1", {
    async handler(run, n: number): Promise<number> {
      if (n === 0) return 0;
      const child = await down.startAsChild(run, n - 1);
      const result = await child.waitForStatus("completed");
      return result.success ? result.state.output + 1 : -1;
    },
  });
  return down;
});

// Races
checks("race promises of the run's calls and what is made of them, and give what the first one gives", () => {
  const raced = workflow({ name: "raced" }).v("1", {
    async handler(run) {
      const child = await survey.startAsChild(run, { customerId: "c" });
      const first = await run.race([
        run.events.paid.wait({ timeout: 5 }),
        run.sleep("s", 1),
        child.waitForStatus("failed"),
      ]);
      if ("cancelled" in first) expectTypeOf(first).toEqualTypeOf<{ cancelled: boolean }>();
      else if ("timeout" in first && !first.timeout) expectTypeOf(first.data).toEqualTypeOf<{ cents: number }>();
      const named = await run.race([
        run.events.paid.wait().then(({ data }) => data.cents),
        run.sleep("t", 1).then(() => "late" as const),
        run.race([run.sleep("u", 1).catch((error: Error) => error)]).finally(() => {}),
      ]);
      expectTypeOf(named).toEqualTypeOf<number | "late" | Error | { cancelled: boolean }>();
      const many = await run.race([1, 2].map((i) => run.sleep(`${i}`, i)));
      expectTypeOf(many).toEqualTypeOf<{ cancelled: boolean }>();
      const { signal } = new AbortController();
      expectTypeOf(await run.events.paid.wait({ signal })).toEqualTypeOf<{ timeout: false; data: { cents: number } }>();
      const both = await run.events.paid.wait({ signal, timeout: { days: 1 } });
      // @ts-expect-error the time may have run out
      both.data;
      // @ts-expect-error nobody knows what an async function waits for
      run.race([(async () => 1)(), run.sleep("v", 1)]);
      // @ts-expect-error no promise
      run.race([1]);
      // @ts-expect-error not an AbortSignal
      run.events.paid.wait({ signal: new AbortController() });
    },
    events: { paid: event<{ cents: number }>() },
  });
  return raced;
});

// Json and Args
checks("say what recording does to a type", () => {
  interface Tree {
    readonly name: string;
    children?: Tree[];
  }
  expectTypeOf<Json<Tree>>().toExtend<Tree>();
  expectTypeOf<Json<{ m: Map<string, number>; f: () => void; b: bigint }>>().toEqualTypeOf<{
    m: Record<string, never>;
    f: never;
    b: never;
  }>();
  expectTypeOf<Json<[Date, "a" | undefined]>>().toEqualTypeOf<[string, "a" | null]>();
  expectTypeOf<Json<"a" | 1 | Date>>().toEqualTypeOf<"a" | 1 | string>();
  expectTypeOf<Args<string>>().toEqualTypeOf<[value: string]>();
  expectTypeOf<Args<void>>().toEqualTypeOf<[]>();
  expectTypeOf<Args<unknown>>().toEqualTypeOf<[value?: unknown]>();
});

checks("keep the fields of a failed task", () => {
  expectTypeOf<TaskFailedError["task"]>().toEqualTypeOf<string>();
});
