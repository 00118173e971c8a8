/**
 * Orchestrators that checkpoints do not get through to, and until when they are not tried again. One that refuses a
 * connection may be starting, and is soon asked again; one that is silent, or where something else answers, costs each
 * invocation that asks it dear.
 */
const FIRST_PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 30_000;

export class Unreachable {
  readonly #pauses = new Map<string, { readonly untilAt: number; readonly forMs: number }>();

  has(url: string): boolean {
    return (this.#pauses.get(url)?.untilAt ?? 0) > Date.now();
  }

  /** `soon`: it failed at once, and may be back in a moment. */
  failed(url: string, soon: boolean): void {
    // Whoever asked before it was known says nothing new.
    if (this.has(url)) return;
    const before = this.#pauses.get(url)?.forMs ?? FIRST_PAUSE_MS / 2;
    const forMs = soon ? Math.min(2 * before, MOST_PAUSE_MS) : MOST_PAUSE_MS;
    this.#pauses.set(url, { untilAt: Date.now() + forMs, forMs });
  }

  reached(url: string): void {
    this.#pauses.delete(url);
  }
}
