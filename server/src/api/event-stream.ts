/** Server-sent events (WHATWG HTML, section 9.2). */
import { AikiError, LIMITS } from "@aikirun/protocol";

/** Proxies close what is silent for longer. */
const KEEP_ALIVE_MS = 15_000;
/** How soon a browser connects again. */
const AGAIN_MS = 2_000;
/** A comment, which a reader passes over. */
const STILL_HERE = ": still here\n\n";

let open = 0;

export interface Following {
  readonly signal: AbortSignal;
  /** Whether the caller may go on reading: its key may have been revoked since. */
  allowed(): Promise<boolean>;
}

/**
 * An event each time that `events` gives one, written when the reader has taken the one before; what it gives as
 * undefined is a moment without news. Ends with `events`, with the reader, and with the reader's rights. Throws
 * `OVERLOADED`.
 */
export function eventStream(
  events: (signal: AbortSignal) => AsyncGenerator<string | undefined>,
  { signal, allowed }: Following,
): Response {
  if (open >= LIMITS.streams) throw tooMany();
  open += 1;
  const gone = new AbortController();
  const stop = () => gone.abort();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const written = kept(events(gone.signal), allowed);
  const over = () => {
    signal.removeEventListener("abort", stop);
    open -= 1;
  };
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(`retry: ${AGAIN_MS}\n\n`)),
    async pull(controller) {
      const next = await written.next().catch((error: unknown) => {
        over();
        throw error;
      });
      if (!next.done) return controller.enqueue(encoder.encode(next.value));
      over();
      controller.close();
    },
    async cancel() {
      stop();
      // Lets go of what it listens to, once the question that is under way is answered.
      await written.return(undefined).catch(() => {});
      over();
    },
  });
  const headers = {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
  };
  return new Response(body, { headers });
}

async function* kept(
  events: AsyncGenerator<string | undefined>,
  allowed: Following["allowed"],
): AsyncGenerator<string> {
  let checkedAt = performance.now();
  let writtenAt = checkedAt;
  for await (const text of events) {
    const now = performance.now();
    if (now - checkedAt > KEEP_ALIVE_MS) {
      checkedAt = now;
      if (!(await allowed())) return;
    }
    if (text !== undefined || now - writtenAt > KEEP_ALIVE_MS) {
      writtenAt = now;
      yield text ?? STILL_HERE;
    }
  }
}

/** With an `id`, a browser that connects again says where it was. */
export function event(name: string, data: unknown, id?: number): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

function tooMany(): AikiError {
  return new AikiError(
    "OVERLOADED",
    `${LIMITS.streams} streams are read from this orchestrator already. Close some, or start another orchestrator.`,
    { details: { retryAfterMs: 5_000 } },
  );
}
