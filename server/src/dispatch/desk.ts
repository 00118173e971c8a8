/**
 * Workers that wait for something to do: their polls, the longest waiting first. Nothing of a run is kept here. A seat is
 * room for one push that a poll has promised; the poll ends with what it was given once all that it promised has come.
 */
import { LIMITS, type WorkPollAnswer, type WorkPush } from "@aikirun/protocol";
import type { RunFacts } from "../core/run.js";
import type { Unserved } from "../store/port.js";
import type { ServedVersion } from "./registry.js";
import type { Timers } from "./timers.js";

interface PolledVersion extends ServedVersion {
  readonly timeoutMs?: number | undefined;
}

/** What a worker asks for. */
export interface WorkerPoll {
  readonly ns: string;
  readonly worker: string;
  readonly versions: readonly PolledVersion[];
  /** Beside runs that name no pool. */
  readonly pools: readonly string[];
  readonly room: number;
}

export interface Seat {
  readonly worker: string;
  /** False: the worker has gone meanwhile, and the push is to go to another. */
  give(push: WorkPush): boolean;
  /** Nothing will be given after all. */
  leave(): void;
}

type Wanted = Pick<RunFacts, "ns" | "workflow" | "version" | "pool">;

/** How long after its poll a worker counts as one that serves its versions, and is busy. */
const LATELY_MS = 60_000;
/** No namespace, name or version holds a control character. */
const SEPARATOR = "\u0000";

export class Desk {
  readonly #timers: Timers;
  /** In the order of their arrival. */
  readonly #waiting = new Set<Waiting>();
  /** Who asked for this lately, and when. */
  readonly #polledAt = new Map<string, Map<string, number>>();
  /** Of those versions that have one. */
  readonly #timeouts = new Map<string, number>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Polls of one namespace that wait. */
  count(ns: string): number {
    let count = 0;
    for (const { poll } of this.#waiting) if (poll.ns === ns) count += 1;
    return count;
  }

  /** Resolves with at least one push or some news, or with nothing after `waitMs` or when `signal` aborts. */
  async wait(poll: WorkerPoll, waitMs: number, signal: AbortSignal): Promise<WorkPollAnswer> {
    const waiting = new Waiting(poll, (over) => this.#waiting.delete(over));
    for (const key of waiting.wanted) this.#note(key, poll.worker);
    for (const wish of wishes(poll)) {
      if (wish.timeoutMs === undefined) this.#timeouts.delete(keyOf(wish));
      else this.#timeouts.set(keyOf(wish), wish.timeoutMs);
    }
    this.#waiting.add(waiting);
    const disarm = this.#timers.after(waitMs, () => waiting.close());
    const gone = () => waiting.abandon();
    signal.addEventListener("abort", gone, { once: true });
    if (signal.aborted) gone();
    try {
      return await waiting.done;
    } finally {
      disarm();
      signal.removeEventListener("abort", gone);
    }
  }

  /** A seat for this run at the poll that has waited longest. Workers of pools come last for a run that names none. */
  take(facts: Wanted): Seat | undefined {
    const key = keyOf(facts);
    let chosen: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (!waiting.takes(key)) continue;
      chosen ??= waiting;
      if (facts.pool !== undefined || waiting.poll.pools.length === 0) {
        chosen = waiting;
        break;
      }
    }
    return chosen?.seat();
  }

  wants(facts: Wanted): boolean {
    const key = keyOf(facts);
    for (const waiting of this.#waiting) if (waiting.takes(key)) return true;
    return false;
  }

  /** Whether some waiting poll takes whatever this one would: then nothing that this one wants lies in the store. */
  covers(poll: WorkerPoll): boolean {
    const signature = signatureOf(poll);
    for (const waiting of this.#waiting) if (waiting.room > 0 && waiting.signature === signature) return true;
    return false;
  }

  /** A worker stops: its polls end, each with what it was given. */
  end(ns: string, worker: string): void {
    for (const lately of this.#polledAt.values()) lately.delete(worker);
    for (const waiting of this.#waiting) {
      if (waiting.poll.ns === ns && waiting.poll.worker === worker) waiting.close();
    }
  }

  /** Tells a worker, when one of its polls waits here, that a push which it has in hand was called off. */
  tell(ns: string, worker: string, pushId: string): void {
    for (const waiting of this.#waiting) {
      if (waiting.poll.ns === ns && waiting.poll.worker === worker) return waiting.tell(pushId);
    }
  }

  /** Of each namespace: what its polls wait for, and for how many runs there is room. */
  open(): readonly (Unserved & { readonly room: number })[] {
    const open = new Map<string, { ns: string; room: number; wanted: Map<string, Unserved["wanted"][number]> }>();
    for (const { poll, room } of this.#waiting) {
      if (room === 0) continue;
      const all = open.get(poll.ns) ?? { ns: poll.ns, room: 0, wanted: new Map() };
      open.set(poll.ns, all);
      all.room += room;
      for (const one of wishes(poll)) all.wanted.set(keyOf(one), one);
    }
    return [...open.values()].map(({ ns, room, wanted }) => ({ ns, room, wanted: [...wanted.values()] }));
  }

  /** Whether a worker of this process asked for such runs a moment ago. */
  polledLately(facts: Wanted): boolean {
    return (this.#polledAt.get(keyOf(facts))?.size ?? 0) > 0;
  }

  /** The time limit that a worker of this process told a moment ago. */
  versionTimeoutMs(facts: Wanted): number | undefined {
    return this.#timeouts.get(keyOf(facts));
  }

  /** Versions that workers of a namespace asked for a moment ago, and how many workers each. */
  serving(ns: string): (ServedVersion & { readonly workers: number })[] {
    const workers = new Map<string, Set<string>>();
    for (const [key, lately] of this.#polledAt) {
      const [of, workflow = "", version = ""] = key.split(SEPARATOR);
      if (of !== ns) continue;
      const id = [workflow, version].join(SEPARATOR);
      workers.set(id, new Set([...(workers.get(id) ?? []), ...lately.keys()]));
    }
    return [...workers].map(([id, { size }]) => {
      const [workflow = "", version = ""] = id.split(SEPARATOR);
      return { workflow, version, workers: size };
    });
  }

  /** Forgets workers that have not asked for long. */
  sweep(): void {
    const oldest = this.#timers.monotonic() - LATELY_MS;
    for (const [key, lately] of this.#polledAt) {
      for (const [worker, at] of lately) if (at < oldest) lately.delete(worker);
      if (lately.size > 0) continue;
      this.#polledAt.delete(key);
      this.#timeouts.delete(key);
    }
  }

  #note(key: string, worker: string): void {
    const lately = this.#polledAt.get(key) ?? new Map<string, number>();
    this.#polledAt.set(key, lately.set(worker, this.#timers.monotonic()));
  }
}

class Waiting {
  readonly poll: WorkerPoll;
  readonly wanted: ReadonlySet<string>;
  readonly signature: string;
  readonly done: Promise<WorkPollAnswer>;
  room: number;
  readonly #given: WorkPush[] = [];
  readonly #cancelled: string[] = [];
  readonly #over: (waiting: Waiting) => void;
  #promised = 0;
  #state: "open" | "closing" | "gone" = "open";
  #resolve: (answer: WorkPollAnswer) => void = () => {};

  constructor(poll: WorkerPoll, over: (waiting: Waiting) => void) {
    this.poll = poll;
    this.room = Math.min(poll.room, LIMITS.pollPushes);
    this.wanted = new Set(wishes(poll).map(keyOf));
    this.signature = signatureOf(poll);
    this.#over = over;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  takes(key: string): boolean {
    return this.room > 0 && this.wanted.has(key);
  }

  seat(): Seat {
    this.room -= 1;
    this.#promised += 1;
    let taken = false;
    const take = (push?: WorkPush): boolean => {
      if (taken) return false;
      taken = true;
      this.#promised -= 1;
      if (push && this.#state !== "gone") this.#given.push(push);
      else this.room += 1;
      this.#settle();
      return this.#state !== "gone";
    };
    return { worker: this.poll.worker, give: take, leave: () => void take() };
  }

  tell(pushId: string): void {
    this.#cancelled.push(pushId);
    this.close();
  }

  /** Promises nothing more. */
  close(): void {
    if (this.#state === "open") this.#state = "closing";
    this.#over(this);
    this.#settle();
  }

  /** Nobody is there any more. */
  abandon(): void {
    this.#state = "gone";
    this.#over(this);
    this.#settle();
  }

  #settle(): void {
    if (this.#state !== "gone") {
      if (this.#promised > 0) return;
      if (this.#given.length === 0 && this.#state === "open") return;
    }
    this.#over(this);
    const gone = this.#cancelled.map((pushId) => ({ pushId, why: "cancelled" as const }));
    this.#resolve({ pushes: this.#given, ...(gone.length > 0 && { gone }) });
  }
}

function wishes({ ns, versions, pools }: WorkerPoll): (PolledVersion & Wanted)[] {
  return versions.flatMap((version) => [undefined, ...pools].map((pool) => ({ ns, ...version, pool })));
}

function signatureOf({ ns, versions, pools }: WorkerPoll): string {
  return JSON.stringify([ns, versions, pools]);
}

function keyOf({ ns, workflow, version, pool }: Wanted): string {
  return [ns, workflow, version, pool ?? ""].join(SEPARATOR);
}
