/** Server-sent events (WHATWG HTML, section 9.2). */
import { AikiError, LIMITS } from "@aikirun/protocol";

/** Proxies close what is silent for longer. */
const KEEP_ALIVE_MS = 15_000;
/** How soon a browser connects again. */
const AGAIN_MS = 2_000;
/** A comment, which a reader passes over. */
const STILL_HERE = ": still here\n\n";

/** A runtime that drops a request may tell nobody. A reader that lives asks for more whenever it was kept alive. */
const FORGOTTEN_MS = 4 * KEEP_ALIVE_MS;

/** Streams that are open, and when their readers last asked for more. */
const open = new Map<AbortController, number>();

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
  if (open.size >= LIMITS.streams) forgetDropped();
  if (open.size >= LIMITS.streams) throw tooMany();
  const gone = new AbortController();
  open.set(gone, performance.now());
  const stop = () => gone.abort();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const written = kept(events(gone.signal), allowed);
  const over = () => {
    signal.removeEventListener("abort", stop);
    open.delete(gone);
  };
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(`retry: ${AGAIN_MS}\n\n`)),
    async pull(controller) {
      if (open.has(gone)) open.set(gone, performance.now());
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

function forgetDropped(): void {
  const before = performance.now() - FORGOTTEN_MS;
  for (const [gone, askedAt] of open) {
    if (askedAt > before) continue;
    open.delete(gone);
    gone.abort();
  }
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
