/** Numbers, instants and durations as people read them. */
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const COUNT = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS = [
  ["year", 365 * DAY_MS],
  ["month", 30 * DAY_MS],
  ["day", DAY_MS],
  ["hour", HOUR_MS],
  ["minute", MINUTE_MS],
  ["second", SECOND_MS],
] as const;

/** `3min ago`, `in 2h`; `now` within a second. */
export function relativeText(at: number, now: number): string {
  const distance = at - now;
  for (const [unit, lengthMs] of UNITS) {
    if (Math.abs(distance) >= lengthMs) return RELATIVE.format(Math.trunc(distance / lengthMs), unit);
  }
  return "now";
}

export function instantText(at: number): string {
  return ABSOLUTE.format(at);
}

export function clockText(at: number): string {
  return CLOCK.format(at);
}

/** `41 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`, `14 d 3 h`: as exact as a person wants it. */
export function durationText(ms: number): string {
  if (ms < SECOND_MS) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND_MS) return `${(ms / SECOND_MS).toFixed(2)} s`;
  if (ms < MINUTE_MS) return `${(ms / SECOND_MS).toFixed(1)} s`;
  return stepsText(ms);
}

/** The same in whole seconds, for what changes every second. */
export function countdownText(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.ceil(ms / SECOND_MS))} s`;
  return stepsText(ms);
}

function stepsText(ms: number): string {
  const seconds = Math.round(ms / SECOND_MS);
  if (seconds < 3_600) return pair(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(minutes / 60);
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

export function countText(count: number): string {
  return COUNT.format(count);
}

/** `1.2K`, where there is little room. */
export function compactText(count: number): string {
  return count < 10_000 ? COUNT.format(count) : COMPACT.format(count);
}

export function percentText(share: number): string {
  if (share > 0 && share < 0.001) return "< 0.1%";
  return `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)}%`;
}

/** One word for one and another for all else: `1 run`, `2 runs`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** `run_01kq3…8f3k2m`: ids of one moment begin alike, so that their ends are what tells them apart. */
export function shortId(id: string): string {
  return id.length <= 20 ? id : `${id.slice(0, 9)}…${id.slice(-6)}`;
}
