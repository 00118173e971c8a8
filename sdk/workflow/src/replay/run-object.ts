import type { PushedRun } from "@aikirun/protocol";
import {
  attachEngine,
  type EventWaiter,
  type EventWaitOptions,
  type RunContext,
  type RunEngine,
  type WorkflowRun,
} from "../engine.js";
import type { EventMap } from "../event.js";
import { bind, type Logger } from "../logger.js";
import { runBindings } from "./bindings.js";

export interface RunSurroundings {
  readonly logger: Logger;
  readonly context: unknown;
}

/** The `run` that a handler gets. */
export function runObject(
  run: PushedRun,
  events: EventMap,
  { logger, context }: RunSurroundings,
  engine: RunEngine,
): WorkflowRun<EventMap> {
  let bound: Logger | undefined;
  const waiters = Object.entries(events).map(([name, event]) => {
    const wait = (options: EventWaitOptions = {}) => engine.waitForEvent(name, event, options);
    // Without a timeout the outcome is never a timeout, which the overloads of `wait` say and one function cannot.
    return [name, { wait } as unknown as EventWaiter<never>] as const;
  });
  return attachEngine(
    {
      id: run.id,
      name: run.workflow,
      versionId: run.version,
      options: run.options.reference === undefined ? {} : { reference: run.options.reference },
      context,
      // Made when asked for: a child of a real logger costs more than everything else here.
      get logger() {
        bound ??= bind(logger, runBindings(run));
        return bound;
      },
      runAttempt: run.runAttempt,
      events: Object.fromEntries(waiters),
      sleep: (name, duration) => engine.sleep(name, duration),
      // What comes out is what one of the promises gives.
      race: engine.race.bind(engine) as RunContext["race"],
    },
    engine,
  );
}
