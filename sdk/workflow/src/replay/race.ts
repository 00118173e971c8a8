import { AikiError } from "@aikirun/protocol/canonical";
import { CallPromise } from "./call-promise.js";

/**
 * Settles as the first of them does, and closes what the others wait for before the handler goes on. Throws
 * `INVALID_ARGUMENT` for what is no promise of a call, since nobody knows what that waits for, and for what was closed.
 */
export function raceOf(promises: readonly unknown[]): CallPromise<unknown> {
  const runners = [...promises].map(checked);
  if (runners.length === 0) throw new AikiError("INVALID_ARGUMENT", "run.race needs at least one promise to wait for.");
  const race = CallPromise.of<unknown>(
    (resolve, reject) => {
      let over = false;
      const first = (settle: (outcome: unknown) => void) => (outcome: unknown) => {
        if (over) return;
        over = true;
        // The winner has settled, so that closing it does nothing.
        for (const runner of runners) CallPromise.close(runner);
        settle(outcome);
      };
      for (const runner of runners) runner.then(first(resolve), first(reject));
    },
    { runners },
  );
  return CallPromise.handled(race);
}

function checked(promise: unknown, index: number): CallPromise<unknown> {
  if (promise instanceof CallPromise && !CallPromise.isClosed(promise)) return promise;
  throw new AikiError(
    "INVALID_ARGUMENT",
    promise instanceof CallPromise
      ? `Element ${index} of run.race waits for what an earlier race has closed, which never settles. Make the call again.`
      : `run.race takes promises of the run's own calls, and what then, catch and finally make of them; element ${index} is ` +
          "something else. An async function's waits cannot be closed from outside: give them a signal, or use Promise.race.",
  );
}
