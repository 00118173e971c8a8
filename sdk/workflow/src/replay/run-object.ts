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
import type { Logger } from "../logger.js";

/** The `run` that a handler gets. */
export function runObject(run: PushedRun, events: EventMap, logger: Logger, engine: RunEngine): WorkflowRun<EventMap> {
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
      runAttempt: run.runAttempt,
      logger,
      events: Object.fromEntries(waiters),
      sleep: (name, duration) => engine.sleep(name, duration),
      // What comes out is what one of the promises gives.
      race: engine.race.bind(engine) as RunContext["race"],
    },
    engine,
  );
}
