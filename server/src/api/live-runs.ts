/**
 * `GET /v1/stream`: the newest runs of a filter, and what becomes of them. It is the list, read again every second: so it
 * has what any replica writes. Tabs that watch the same runs share one reading.
 */
import { type RunSummary, type StreamQuery, streamQuerySchema } from "@aikirun/protocol";
import type { RunFilter, Store } from "../store/port.js";
import { event, eventStream } from "./event-stream.js";
import { type Route, route } from "./route.js";
import { parseStatuses } from "./statuses.js";
import { Bell } from "./wait.js";

const REREAD_MS = 1_000;
const DEFAULT_WATCHED = 50;

export const liveRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/stream",
    scope: "read",
    summary: "Server-sent events: `runs`, the newest runs of a filter; then `changes`, as they come.",
    query: streamQuerySchema,
    answers: { 200: "events" },
    async handle({ query, caller, signal, allowed }, { store }) {
      const reader = readerOf(store, caller.ns, query);
      return eventStream((gone) => follow(reader, gone), { signal: signal(), allowed });
    },
  }),
];

async function* follow(reader: Reader, signal: AbortSignal): AsyncGenerator<string | undefined> {
  const bell = new Bell();
  signal.addEventListener("abort", () => bell.ring(), { once: true });
  let shown = new Map<string, string>();
  let first = true;
  while (!signal.aborted) {
    const runs = await reader.read();
    const now = new Map(runs.map((run) => [run.id, JSON.stringify(run)]));
    const changed = runs.filter(({ id }) => shown.get(id) !== now.get(id));
    const gone = [...shown.keys()].filter((id) => !now.has(id));
    if (first) yield event("runs", { runs });
    else yield changed.length + gone.length > 0 ? event("changes", { runs: changed, gone }) : undefined;
    first = false;
    shown = now;
    await bell.wait(REREAD_MS);
  }
}

/** One for each list that is being watched. Nobody keeps those that nobody reads. */
const readers = new WeakMap<Store, Map<string, WeakRef<Reader>>>();

function readerOf(store: Store, ns: string, { limit = DEFAULT_WATCHED, status, ...rest }: StreamQuery): Reader {
  const filter = { ...rest, ...(status === undefined ? {} : { status: parseStatuses(status) }) } as RunFilter;
  const key = JSON.stringify([ns, limit, Object.entries(filter).sort()]);
  const known = readers.get(store) ?? new Map<string, WeakRef<Reader>>();
  readers.set(store, known);
  for (const [other, reader] of known) if (!reader.deref()) known.delete(other);
  const reader = known.get(key)?.deref() ?? new Reader(() => store.listRuns(ns, filter, undefined, limit));
  known.set(key, new WeakRef(reader));
  return reader;
}

class Reader {
  readonly #list: () => ReturnType<Store["listRuns"]>;
  #reading: Promise<readonly RunSummary[]> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(list: () => ReturnType<Store["listRuns"]>) {
    this.#list = list;
  }

  /** What was read less than half a period ago will do. */
  read(): Promise<readonly RunSummary[]> {
    if (this.#reading && performance.now() - this.#readAt < REREAD_MS / 2) return this.#reading;
    this.#readAt = performance.now();
    const reading = this.#list().then(({ runs }) => runs);
    this.#reading = reading;
    reading.catch(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    return reading;
  }
}
