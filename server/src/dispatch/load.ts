/** How many runs of this process push, or wait to push, to each endpoint: so that one slow endpoint stops no other. */
import type { Route } from "./delivery.js";

export class EndpointLoad {
  readonly #endpoints = new Map<string, { runs: number; concurrency: number }>();

  /** False when too many already wait: the run is better parked. */
  enter(route: Route, maxWaiting: number): boolean {
    const load = this.#endpoints.get(route.endpointId) ?? { runs: 0, concurrency: 0 };
    load.concurrency = route.concurrency;
    if (load.runs >= route.concurrency + maxWaiting) return false;
    load.runs += 1;
    this.#endpoints.set(route.endpointId, load);
    return true;
  }

  leave(route: Route): void {
    const load = this.#endpoints.get(route.endpointId);
    if (!load) return;
    load.runs -= 1;
    if (load.runs === 0) this.#endpoints.delete(route.endpointId);
  }

  /** Runs that wait for an endpoint at its limit. They cost memory and a lease, and take nobody's turn. */
  waiting(): number {
    let waiting = 0;
    for (const { runs, concurrency } of this.#endpoints.values()) waiting += Math.max(0, runs - concurrency);
    return waiting;
  }
}
