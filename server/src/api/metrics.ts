/** Counters of this process, in Prometheus' text format. */
const BUCKETS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #pushes = new Map<string, number>();
  readonly #pushMs: Histogram = { counts: BUCKETS_MS.map(() => 0), sum: 0, count: 0 };
  readonly #gauges = new Map<string, () => number>();

  request(method: string, path: string, status: number): void {
    count(this.#requests, `method="${method}",path="${path}",status="${status}"`);
  }

  push(outcome: string, elapsedMs: number): void {
    count(this.#pushes, `outcome="${outcome}"`);
    this.#pushMs.sum += elapsedMs;
    this.#pushMs.count += 1;
    for (const [i, bound] of BUCKETS_MS.entries()) if (elapsedMs <= bound) this.#pushMs.counts[i]! += 1;
  }

  gauge(name: string, read: () => number): void {
    this.#gauges.set(name, read);
  }

  text(): string {
    const lines = ["# TYPE aiki_http_requests_total counter"];
    for (const [labels, value] of this.#requests) lines.push(`aiki_http_requests_total{${labels}} ${value}`);
    lines.push("# TYPE aiki_pushes_total counter");
    for (const [labels, value] of this.#pushes) lines.push(`aiki_pushes_total{${labels}} ${value}`);
    lines.push("# TYPE aiki_push_duration_seconds histogram");
    for (const [i, bound] of BUCKETS_MS.entries()) {
      lines.push(`aiki_push_duration_seconds_bucket{le="${bound / 1_000}"} ${this.#pushMs.counts[i]}`);
    }
    lines.push(`aiki_push_duration_seconds_bucket{le="+Inf"} ${this.#pushMs.count}`);
    lines.push(`aiki_push_duration_seconds_sum ${this.#pushMs.sum / 1_000}`);
    lines.push(`aiki_push_duration_seconds_count ${this.#pushMs.count}`);
    for (const [name, read] of this.#gauges) lines.push(`# TYPE ${name} gauge`, `${name} ${read()}`);
    return `${lines.join("\n")}\n`;
  }
}

function count(counters: Map<string, number>, labels: string): void {
  counters.set(labels, (counters.get(labels) ?? 0) + 1);
}
