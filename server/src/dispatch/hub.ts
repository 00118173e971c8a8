/** `ended`: the run has reached a terminal status. */
export type Listener = (ended: boolean) => void;

/** Who in this process wants to hear of a run: long polls and watchers. A call may be missed, so they also ask again. */
export class Hub {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #endWatchers = new Set<(ns: string, runId: string) => void>();

  /** `changed` is called after each commit of the run that this process makes. Returns what ends it. */
  subscribe(ns: string, runId: string, changed: Listener): () => void {
    const key = `${ns}/${runId}`;
    const listeners = this.#listeners.get(key) ?? new Set<Listener>();
    this.#listeners.set(key, listeners.add(changed));
    return () => {
      listeners.delete(changed);
      if (listeners.size === 0) this.#listeners.delete(key);
    };
  }

  /** `ended` is called for every run that this process brings to its end. */
  watchEnds(ended: (ns: string, runId: string) => void): () => void {
    this.#endWatchers.add(ended);
    return () => this.#endWatchers.delete(ended);
  }

  notify(ns: string, runId: string, ended: boolean): void {
    if (ended) for (const watcher of this.#endWatchers) watcher(ns, runId);
    if (this.#listeners.size === 0) return;
    for (const changed of this.#listeners.get(`${ns}/${runId}`) ?? []) changed(ended);
  }
}
