/** What was counted, in memory. */
import { LIMITS } from "@aikirun/protocol/canonical";
import { addDurations, NO_DURATIONS } from "../core/buckets.js";
import type { EndpointMinute, Minute, Span, StatsStore } from "./port.js";

export class MemoryStats implements Omit<StatsStore, "countDue"> {
  readonly #now: () => number;
  #minutes: Minute[] = [];
  #endpoints: EndpointMinute[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  async addMinutes(minutes: readonly Minute[], endpoints: readonly EndpointMinute[]): Promise<void> {
    const oldest = this.#now() - LIMITS.statsKeptMs;
    const isKept = ({ at }: { readonly at: number }) => at >= oldest;
    this.#minutes = grouped([...this.#minutes, ...minutes].filter(isKept), ({ ns, at }) => `${ns}/${at}`).map(together);
    const keyOf = ({ ns, at, endpointId }: EndpointMinute) => `${ns}/${at}/${endpointId}`;
    this.#endpoints = grouped([...this.#endpoints, ...endpoints].filter(isKept), keyOf).map(endpointTogether);
  }

  async readMinutes(ns: string, span: Span, stepMs: number): Promise<Minute[]> {
    const own = this.#minutes.filter((row) => row.ns === ns && isWithin(row, span)).map((row) => stepped(row, stepMs));
    return inOrder(grouped(own, ({ at }) => String(at)).map(together));
  }

  async readEndpointMinutes(ns: string, endpointId: string, span: Span, stepMs: number): Promise<EndpointMinute[]> {
    const own = this.#endpoints.filter((row) => row.ns === ns && row.endpointId === endpointId && isWithin(row, span));
    const steps = own.map((row) => stepped(row, stepMs));
    return inOrder(grouped(steps, ({ at }) => String(at)).map(endpointTogether));
  }

  async busiestEndpoints(ns: string, span: Span, limit: number): Promise<EndpointMinute[]> {
    const own = this.#endpoints.filter((row) => row.ns === ns && isWithin(row, span));
    const sums = grouped(own, ({ endpointId }) => endpointId).map(endpointTogether);
    const pushes = ({ pushed }: EndpointMinute) => pushed.buckets.reduce((sum, count) => sum + count, 0);
    return sums
      .sort((a, b) => pushes(b) - pushes(a) || (a.endpointId < b.endpointId ? -1 : 1))
      .slice(0, limit)
      .map((row) => ({ ...row, at: span.from }));
  }
}

function isWithin({ at }: { readonly at: number }, { from, to }: Span): boolean {
  return at >= from && at < to;
}

function stepped<Row extends { readonly at: number }>(row: Row, stepMs: number): Row {
  return { ...row, at: Math.floor(row.at / stepMs) * stepMs };
}

function inOrder<Row extends { readonly at: number }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => a.at - b.at);
}

function grouped<Row>(rows: readonly Row[], keyOf: (row: Row) => string): [Row, ...Row[]][] {
  const groups = new Map<string, [Row, ...Row[]]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  return [...groups.values()];
}

function together(rows: readonly [Minute, ...Minute[]]): Minute {
  const sum = (pick: (row: Minute) => number) => rows.reduce((all, row) => all + pick(row), 0);
  return {
    ns: rows[0].ns,
    at: rows[0].at,
    started: sum(({ started }) => started),
    completed: sum(({ completed }) => completed),
    failed: sum(({ failed }) => failed),
    cancelled: sum(({ cancelled }) => cancelled),
    pushesFailed: sum(({ pushesFailed }) => pushesFailed),
    pushed: rows.map(({ pushed }) => pushed).reduce(addDurations, NO_DURATIONS),
    starts: rows.map(({ starts }) => starts).reduce(addDurations, NO_DURATIONS),
    backlog: Math.max(...rows.map(({ backlog }) => backlog)),
  };
}

function endpointTogether(rows: readonly [EndpointMinute, ...EndpointMinute[]]): EndpointMinute {
  return {
    ...rows[0],
    pushesFailed: rows.reduce((all, { pushesFailed }) => all + pushesFailed, 0),
    pushed: rows.map(({ pushed }) => pushed).reduce(addDurations, NO_DURATIONS),
  };
}
