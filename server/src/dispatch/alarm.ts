/**
 * The instants at which runs come due, by the database's clock: a heap with one timer armed for the earliest. It only
 * makes timers punctual; what it forgets or never knew, the scan finds.
 */
import type { Instant } from "../core/clock.js";
import type { Timers } from "./timers.js";

/** Instants kept; later ones are left to the scan. */
const MAX_INSTANTS = 100_000;
/** How far ahead a timer is armed. */
const HORIZON_MS = 5 * 60_000;

export class Alarm {
  readonly #timers: Timers;
  readonly #now: () => Instant;
  readonly #ring: () => void;
  readonly #heap: number[] = [];
  #disarm: (() => void) | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #stopped = false;

  /** `ring` is called when at least one instant has surely passed. */
  constructor(timers: Timers, now: () => Instant, ring: () => void) {
    this.#timers = timers;
    this.#now = now;
    this.#ring = ring;
  }

  set(at: number): void {
    if (this.#stopped || this.#heap.length >= MAX_INSTANTS) return;
    if (at - this.#now().earliest > HORIZON_MS) return;
    push(this.#heap, at);
    if (at < this.#armedFor) this.#arm(at);
  }

  stop(): void {
    this.#stopped = true;
    this.#disarm?.();
    this.#heap.length = 0;
  }

  #arm(at: number): void {
    this.#disarm?.();
    this.#armedFor = at;
    // By the earliest that the database's clock can be, so that the claim that follows finds the run due.
    this.#disarm = this.#timers.after(Math.max(1, at - this.#now().earliest), () => this.#fire());
  }

  #fire(): void {
    this.#disarm = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const { earliest } = this.#now();
    let due = false;
    while (this.#heap.length > 0 && (this.#heap[0] as number) <= earliest) {
      pop(this.#heap);
      due = true;
    }
    const next = this.#heap[0];
    if (next !== undefined) this.#arm(next);
    if (due) this.#ring();
  }
}

function push(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if ((heap[parent] as number) <= value) break;
    heap[i] = heap[parent] as number;
    i = parent;
  }
  heap[i] = value;
}

function pop(heap: number[]): void {
  const last = heap.pop() as number;
  const size = heap.length;
  if (size === 0) return;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= size) break;
    if (child + 1 < size && (heap[child + 1] as number) < (heap[child] as number)) child++;
    if ((heap[child] as number) >= last) break;
    heap[i] = heap[child] as number;
    i = child;
  }
  heap[i] = last;
}
