/** What `aiki runs watch` and the page of one run follow. */
import { LIMITS } from "@aikirun/protocol";
import { event, eventStream, type Following } from "./event-stream.js";
import type { Services } from "./services.js";
import { Bell, hasEnded } from "./wait.js";

/** What other replicas write is seen by asking again. */
const REREAD_MS = 1_000;
const PAGE = 500;

/** `id:` is the number of the last record, so that a reconnecting reader goes on with `after`. */
export function followRun(
  services: Services,
  ns: string,
  runId: string,
  after: number,
  following: Following,
): Response {
  return eventStream((signal) => follow(services, ns, runId, after, signal), following);
}

async function* follow(
  { store, dispatcher }: Services,
  ns: string,
  runId: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<string | undefined> {
  const bell = new Bell();
  const unsubscribe = dispatcher.hub.subscribe(ns, runId, () => bell.ring());
  signal.addEventListener("abort", () => bell.ring(), { once: true });
  let seen = after;
  let status = "";
  try {
    while (!signal.aborted) {
      const run = await store.getRun(ns, runId);
      if (!run) return;
      for (;;) {
        const part = await store.readHistory(ns, runId, seen, PAGE, LIMITS.historyBytes);
        for (const record of part?.records ?? []) {
          seen = record.n;
          yield event("record", record, seen);
        }
        if (!part?.more) break;
      }
      const shown = `${run.status} ${run.trouble?.code} ${run.trouble?.deliveries} ${run.nextAt}`;
      if (shown !== status) {
        status = shown;
        yield event("run", run, seen);
      }
      if (hasEnded(run.status)) return;
      yield undefined;
      await bell.wait(REREAD_MS);
    }
  } finally {
    unsubscribe();
  }
}
