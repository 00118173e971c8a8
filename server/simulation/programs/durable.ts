/** A program as a workflow, written with the SDK like any user's. */
import {
  event,
  type RunContext,
  type RunPromise,
  type ServableVersion,
  type TaskContext,
  task,
  workflow,
} from "@aikirun/workflow";
import {
  type Calls,
  type ChildInput,
  carryOut,
  MAX_ATTEMPTS,
  type Plan,
  planAt,
  RETRY_MS,
  type TaskInput,
} from "./program.js";

export const WORKFLOW = "program";
export const VERSION = "1.0.0";
export const ROOT: ChildInput = { site: "r", seen: "" };

/** An attempt of a task: takes its time, and gives a number that no other attempt gives. */
export type Perform = (site: string, input: unknown, context: TaskContext) => Promise<number>;

export function durable(whole: Plan, perform: Perform): ServableVersion {
  const work = task({
    name: "work",
    retry: { type: "fixed", maxAttempts: MAX_ATTEMPTS, delayMs: RETRY_MS },
    async handler(input: TaskInput, context) {
      const number = await perform(input.site, input, context);
      if (context.attempt <= input.fails) throw new Refused(number);
      return `t${input.site}@${number}`;
    },
  });
  const twin = task({
    name: "twin",
    handler: async (input: string, context) => `w@${await perform(context.idempotencyKey, input, context)}`,
  });
  const version = workflow({ name: WORKFLOW }).v(VERSION, {
    events: { x: event<number>(), y: event<number>(), never: event<number>() },
    handler(run, { site, seen }: ChildInput) {
      const calls: Calls = {
        task: (input) => work.start(run, input),
        twin: () => twin.start(run, "same"),
        sleep: (name, ms) => run.sleep(name, ms),
        event(name, { timeoutMs, signal }) {
          const waiter = run.events[name];
          return timeoutMs === undefined
            ? waiter.wait(signal ? { signal } : {}).then(({ data }) => ({ timeout: false, data }))
            : waiter.wait({ timeout: timeoutMs });
        },
        child: (input) => child(run, input),
        race: (runners) => run.race(runners as RunPromise<string>[]),
      };
      return carryOut(planAt(whole, site), site, seen, calls);
    },
  });
  const child = async (run: RunContext, input: ChildInput) => {
    const handle = await version.startAsChild(run, input);
    return {
      end: (timeoutMs: number | undefined) =>
        handle
          .waitForStatus("completed", timeoutMs === undefined ? {} : { timeout: timeoutMs })
          .then((end) =>
            end.success
              ? { success: true as const, output: String(end.state.output) }
              : { success: false as const, cause: end.cause },
          ),
    };
  };
  return version;
}

/** What an attempt throws: its number tells whose. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(number: number) {
    super(`no@${number}`);
  }
}
