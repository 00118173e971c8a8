/** Runs in workerd: a Worker without Hono, whose workflows use all that there is. */
import { endpoint } from "@aikirun/endpoint";
import { event, task, workflow } from "@aikirun/workflow";
import * as z from "zod";

interface App {
  readonly region: string;
}

const flaky = task({
  name: "flaky",
  retry: { type: "fixed", maxAttempts: 3, delayMs: 1 },
  schema: { input: z.object({ at: z.number() }) },
  async handler({ at }: { at: number }, { attempt, idempotencyKey, logger }) {
    logger.info(`attempt ${attempt}`);
    if (attempt === 1) throw new Error("not yet");
    return { at, keyed: idempotencyKey.length > 0 };
  },
});
const rest = task({
  name: "rest",
  async handler(ms: number) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ms;
  },
});
const slow = task({
  name: "slow",
  timeout: { milliseconds: 50 },
  async handler(_input: undefined, { signal }) {
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  },
});

export const partV1 = workflow({ name: "part" }).v("1", {
  async handler(run, times: number) {
    await run.sleep("part", 10);
    return times * 2;
  },
});

export const everythingV1 = workflow<App>({ name: "everything" }).v("1", {
  schema: { input: z.object({ who: z.string().trim() }) },
  async handler(run, { who }) {
    const flakes = await Promise.all([1, 2, 3].map((at) => flaky.start(run, { at })));
    const timedOut = await slow.start(run).then(
      () => "no",
      (error: Error) => error.name,
    );
    const slept = await run.sleep("nap", { milliseconds: 20 });
    const { data } = await run.events.approved.wait();
    const parts = await Promise.all([1, 2].map((times) => partV1.startAsChild(run, times)));
    const doubled = [];
    for (const part of parts) {
      const result = await part.waitForStatus("completed");
      doubled.push(result.success ? result.state.output : undefined);
    }
    const first = await run.race([
      run.sleep("long", { days: 1 }).then(() => "long"),
      run.sleep("short", 10).then(() => "short"),
    ]);
    const late = await run.events.never.wait({ timeout: 10 });
    return {
      who,
      region: run.context.region,
      flakes,
      timedOut,
      slept,
      on: data.on.toISOString(),
      doubled,
      first,
      late: late.timeout,
    };
  },
  events: { approved: event({ schema: z.object({ on: z.coerce.date() }) }), never: event() },
});

/** Fails once, and is started again as a whole. */
export const againV1 = workflow({ name: "again" }).v("1", {
  retry: { type: "fixed", maxAttempts: 2, delayMs: 1 },
  async handler(run) {
    if (run.runAttempt === 1) throw new Error("once");
    return run.runAttempt;
  },
});

/** One task after the other: one push, and a checkpoint after each task. */
export const stepsV1 = workflow({ name: "steps" }).v("1", {
  async handler(run, tasks: number) {
    let sum = 0;
    for (let at = 1; at <= tasks; at++) sum += await rest.start(run, at);
    return sum;
  },
});

export const patientV1 = workflow({ name: "patient" }).v("1", {
  handler: (run, ms: number) => rest.start(run, ms),
});

export const laterV1 = workflow({ name: "later" }).v("1", {
  handler: (run, ms: number) => rest.start(run, ms),
});

const versions = [partV1, everythingV1, againV1, stepsV1, patientV1] as const;
const serve = endpoint({
  workflows: versions,
  context: (_run, bindings) => ({ region: (bindings as { REGION: string }).REGION }),
});
/** Answers after a second that it will bring what comes of its work, which `waitUntil` of the Worker keeps alive. */
const later = endpoint({ workflows: [laterV1], background: { seconds: 20 }, maxDuration: { seconds: 4 } });
let pushes = 0;
const laterStatuses: number[] = [];

export const worker = {
  async fetch(request: Request, env: object, context: object): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/pushes") return Response.json({ pushes, laterStatuses });
    if (pathname === "/later") {
      const answer = await later(request, env, context);
      laterStatuses.push(answer.status);
      return answer;
    }
    if (request.method === "POST") pushes++;
    return serve(request, env, context);
  },
};
