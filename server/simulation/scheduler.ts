/**
 * Virtual time. Everything that takes time in the simulation is an event here; events of one moment run in seeded order,
 * and all microtasks have run before the next one. Nothing else decides an order, so a seed is a whole history.
 */
import type { Random } from "./random.js";

/** Something that can crash or stand still: what belongs to it dies or waits with it. */
export interface Process {
  readonly name: string;
  alive: boolean;
  frozenUntil: number;
}

export function newProcess(name: string): Process {
  return { name, alive: true, frozenUntil: 0 };
}

interface Event {
  at: number;
  readonly order: number;
  readonly process: Process | undefined;
  readonly label: string;
  run: (() => void) | undefined;
}

const microtasksDone = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class Scheduler {
  readonly #random: Random;
  readonly #heap: Event[] = [];
  #soon: (() => void)[] = [];
  #hash = 0x811c9dc5;
  now = 0;
  events = 0;
  readonly trace: string[] | undefined;

  constructor(random: Random, traced: boolean) {
    this.#random = random;
    this.trace = traced ? [] : undefined;
  }

  /** Calls `run` after `ms` of virtual time. Returns what cancels it. */
  after(ms: number, process: Process | undefined, label: string, run: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, Math.ceil(ms)), order: this.#random.next(), process, label, run };
    push(this.#heap, event);
    return () => {
      event.run = undefined;
    };
  }

  /** Calls `run` once the microtasks that are queued now have run, before any other event. */
  soon(run: () => void): void {
    this.#soon.push(run);
  }

  sleep(ms: number, process: Process | undefined, label: string): Promise<void> {
    return new Promise((resolve) => this.after(ms, process, label, resolve));
  }

  note(text: string): void {
    this.#mix(text);
    this.trace?.push(`${String(this.now).padStart(6)} ${text}`);
  }

  /** Runs events until `done` or none is left. */
  async run(done: () => boolean, maxEvents: number): Promise<void> {
    await this.#settle();
    for (let left = maxEvents; left > 0 && !done(); ) {
      const event = pop(this.#heap);
      if (!event) return;
      const { process, run } = event;
      if (!run || process?.alive === false) continue;
      if (process && process.frozenUntil > event.at) {
        event.at = process.frozenUntil;
        push(this.#heap, event);
        continue;
      }
      this.now = Math.max(this.now, event.at);
      this.events += 1;
      left -= 1;
      this.note(process ? `${process.name} ${event.label}` : event.label);
      run();
      await this.#settle();
    }
  }

  /** Of everything that happened, in order. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  async #settle(): Promise<void> {
    await microtasksDone();
    while (this.#soon.length > 0) {
      const soon = this.#soon;
      this.#soon = [];
      for (const run of soon) {
        run();
        await microtasksDone();
      }
    }
  }

  /** FNV-1a, over the moment and the words. */
  #mix(text: string): void {
    let hash = Math.imul(this.#hash ^ this.now, 0x01000193);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#hash = hash;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let i = heap.length;
  heap.push(event);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (!before(event, heap[parent] as Event)) break;
    heap[i] = heap[parent] as Event;
    i = parent;
  }
  heap[i] = event;
}

function pop(heap: Event[]): Event | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (!top || !last || heap.length === 0) return top;
  const size = heap.length;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= size) break;
    if (child + 1 < size && before(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (!before(heap[child] as Event, last)) break;
    heap[i] = heap[child] as Event;
    i = child;
  }
  heap[i] = last;
  return top;
}
