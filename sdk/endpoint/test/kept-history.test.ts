import type { HistoryRecord, HistorySlice } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { keptHistory } from "../src/kept-history.js";

const record = (n: number): HistoryRecord => ({
  n,
  kind: "sleep",
  key: `sleep:s${n}#0`,
  value: { state: "completed" },
});
const slice = (from: number, to: number, after?: { n: number; hash: string }): HistorySlice => ({
  records: Array.from({ length: to - from + 1 }, (_, i) => record(from + i)),
  head: { n: to, hash: `h${to}` },
  ...(after && { after }),
});

describe("kept history", () => {
  it("completes a slice whose cursor is exactly what is kept", () => {
    const kept = keptHistory({ runs: 10, bytes: 1_000 });
    expect(kept.complete("run", slice(1, 3), 100)?.keeps).toBe(true);
    expect(kept.complete("run", slice(4, 5, { n: 3, hash: "other" }), 10)).toBeUndefined();
    expect(kept.complete("run", slice(3, 5, { n: 2, hash: "h2" }), 10)).toBeUndefined();
    expect(kept.complete("another", slice(4, 5, { n: 3, hash: "h3" }), 10)).toBeUndefined();
    const completed = kept.complete("run", slice(4, 5, { n: 3, hash: "h3" }), 10);
    expect(completed?.history.records.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5]);
    expect(kept.complete("run", slice(4, 5, { n: 3, hash: "h3" }), 10)).toBeUndefined();
  });

  it("needs nothing kept for a whole history", () => {
    const kept = keptHistory({ runs: 0, bytes: 0 });
    expect(kept.complete("run", slice(1, 2), 1)?.history.records).toHaveLength(2);
    expect(kept.complete("run", slice(1, 2, { n: 0, hash: "" }), 1)?.history.records).toHaveLength(2);
    expect(kept.complete("run", slice(1, 2), 1)?.keeps).toBe(false);
  });

  it("lets the least recently used go, by count and by bytes", () => {
    const kept = keptHistory({ runs: 3, bytes: 1_000 });
    const whole = slice(1, 1);
    const has = (run: string) => kept.complete(run, slice(2, 1, { n: 1, hash: "h1" }), 0) !== undefined;
    for (const run of ["a", "b", "c", "d"]) kept.complete(run, whole, 300);
    expect(["a", "b", "c", "d"].map(has)).toEqual([false, true, true, true]);
    kept.complete("b", slice(2, 2, { n: 1, hash: "h1" }), 350);
    expect(["b", "c", "d"].map(has)).toEqual([false, false, true]);
    expect(kept.complete("b", slice(3, 3, { n: 2, hash: "h2" }), 0)?.history.records).toHaveLength(3);
    expect(kept.complete("huge", whole, 1_001)?.keeps).toBe(false);
    kept.forget("d");
    expect(has("d")).toBe(false);
  });

  it("leaves a history that an invocation still reads as it is", () => {
    const kept = keptHistory({ runs: 1, bytes: 1_000 });
    const first = kept.complete("run", slice(1, 1), 1)?.history;
    first?.openReader();
    const second = kept.complete("run", slice(2, 2, { n: 1, hash: "h1" }), 1)?.history;
    expect([first?.size, second?.size]).toEqual([1, 2]);
    second?.openReader();
    second?.closeReader();
    expect(kept.complete("run", slice(3, 3, { n: 2, hash: "h2" }), 1)?.history).toBe(second);
    expect([first?.size, second?.size]).toEqual([1, 3]);
  });
});
