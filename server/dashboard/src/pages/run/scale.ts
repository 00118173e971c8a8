/** Which part of the run's time is in sight, and where on it things lie. Pure. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Narrower than this nothing can be told apart. */
const LEAST_MS = 1;
const MOST_TICKS = 6;
const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000, 1_209_600_000,
  2_592_000_000, 7_776_000_000, 31_536_000_000,
];

export function lengthOf({ from, to }: Span): number {
  return Math.max(to - from, LEAST_MS);
}

/** Closer by `factor` (or farther, below 1) around an instant, never beyond the whole. Undefined: all of it. */
export function zoom(seen: Span, whole: Span, factor: number, around: number): Span | undefined {
  const length = Math.max(lengthOf(seen) / factor, LEAST_MS);
  if (length >= lengthOf(whole)) return undefined;
  const share = (around - seen.from) / lengthOf(seen);
  return within({ from: around - share * length, to: around + (1 - share) * length }, whole);
}

export function move(seen: Span, whole: Span, share: number): Span {
  const by = lengthOf(seen) * share;
  return within({ from: seen.from + by, to: seen.to + by }, whole);
}

function within(span: Span, whole: Span): Span {
  const length = Math.min(lengthOf(span), lengthOf(whole));
  const from = Math.min(Math.max(span.from, whole.from), whole.to - length);
  return { from, to: from + length };
}

/** Round distances from the run's beginning that lie in sight. */
export function ticksOf(seen: Span, start: number): number[] {
  const length = lengthOf(seen);
  const step = STEPS_MS.find((one) => length / one <= MOST_TICKS) ?? STEPS_MS.at(-1) ?? length;
  const first = Math.ceil((seen.from - start) / step) * step;
  const ticks: number[] = [];
  for (let offset = first; start + offset <= seen.to && ticks.length <= MOST_TICKS; offset += step) ticks.push(offset);
  return ticks;
}

/** Where a bar lies, in percent of what is in sight; undefined when it does not. */
export function place(bar: Span, seen: Span): { left: number; width: number } | undefined {
  if (bar.to < seen.from || bar.from > seen.to) return undefined;
  const length = lengthOf(seen);
  const from = Math.max(bar.from, seen.from);
  const to = Math.min(bar.to, seen.to);
  return { left: ((from - seen.from) / length) * 100, width: Math.max(((to - from) / length) * 100, 0) };
}
