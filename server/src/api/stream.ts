/** Server-sent events (WHATWG HTML, section 9.2): what `aiki runs watch` and the dashboard follow. */
import { LIMITS } from "@aikirun/protocol";
import type { Services } from "./services.js";
import { Bell, hasEnded } from "./wait.js";

const REREAD_MS = 1_000;
const KEEP_ALIVE_MS = 15_000;
const PAGE = 500;

/** `id:` is the number of the last record, so that a reconnecting reader goes on with `after`. */
export function followRun(services: Services, ns: string, runId: string, after: number, signal: AbortSignal): Response {
  const gone = new AbortController();
  const stop = () => gone.abort();
  signal.addEventListener("abort", stop);
  const events = follow(services, ns, runId, after, gone.signal);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await events.next();
      if (next.done) {
        signal.removeEventListener("abort", stop);
        controller.close();
      } else controller.enqueue(encoder.encode(next.value));
    },
    cancel: stop,
  });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };
  return new Response(body, { headers });
}

async function* follow(
  { store, dispatcher }: Services,
  ns: string,
  runId: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const bell = new Bell();
  const unsubscribe = dispatcher.hub.subscribe(ns, runId, () => bell.ring());
  signal.addEventListener("abort", () => bell.ring(), { once: true });
  let seen = after;
  let status = "";
  let quietSince = performance.now();
  try {
    while (!signal.aborted) {
      const run = await store.getRun(ns, runId);
      if (!run) return;
      for (;;) {
        const part = await store.readHistory(ns, runId, seen, PAGE, LIMITS.historyBytes);
        for (const record of part?.records ?? []) {
          seen = record.n;
          quietSince = performance.now();
          yield event("record", record, seen);
        }
        if (!part?.more) break;
      }
      const shown = `${run.status} ${run.trouble?.code} ${run.trouble?.deliveries} ${run.nextAt}`;
      if (shown !== status) {
        status = shown;
        quietSince = performance.now();
        yield event("run", run, seen);
      }
      if (hasEnded(run.status)) return;
      if (performance.now() - quietSince > KEEP_ALIVE_MS) {
        quietSince = performance.now();
        yield ": still here\n\n";
      }
      await bell.wait(REREAD_MS);
    }
  } finally {
    unsubscribe();
  }
}

function event(name: string, data: unknown, id: number): string {
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
