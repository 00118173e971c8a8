/** A run's records as bars over time. Pure: records in, rows out. */
import type { HistoryRecord, WireError } from "@aikirun/protocol";
import { childOfWait, type EntryKind, type JsonValue, parseEntryKey } from "@aikirun/protocol/canonical";
import type { TimedRecord } from "../../api/follow-run.js";

export type Look = "completed" | "failed" | "retrying" | "sleeping" | "waiting" | "running" | "cancelled" | "gap";

export interface Bar {
  readonly from: number;
  /** Absent: it goes on. */
  readonly to?: number;
  readonly look: Look;
  readonly label: string;
}

export interface Entry {
  readonly key: string;
  readonly kind: Exclude<EntryKind, "run" | "wait">;
  readonly name: string;
  /** Which call of this address, where there is more than one. */
  readonly index: number;
  /** Of the input, for tasks, and for children without a reference. */
  readonly hash?: string;
  readonly state: Look;
  readonly from: number;
  readonly to?: number;
  /** When something that goes on ends by itself. */
  readonly endsAt?: number;
  readonly bars: readonly Bar[];
  readonly attempts?: number;
  readonly output?: JsonValue;
  readonly error?: WireError;
  readonly childId?: string;
  readonly records: readonly TimedRecord[];
}

export interface Timeline {
  readonly entries: readonly Entry[];
  /** Where an attempt of the whole handler began, after the first. */
  readonly retriedAt: readonly number[];
}

export function timelineOf(records: readonly TimedRecord[]): Timeline {
  const byKey = new Map<string, TimedRecord[]>();
  const retriedAt: number[] = [];
  for (const record of records) {
    if (record.kind === "run") {
      if (record.value.state === "retried") retriedAt.push(record.at);
      continue;
    }
    // How long somebody waited for a child is told with the child.
    const key = record.kind === "wait" ? (childOfWait(record.key) ?? record.key) : record.key;
    const known = byKey.get(key);
    if (known) known.push(record);
    else byKey.set(key, [record]);
  }
  const entries = [...byKey].map(([key, of]) => entryOf(key, of)).filter((entry) => entry !== undefined);
  return { entries: entries.sort((a, b) => a.from - b.from || a.records[0]!.n - b.records[0]!.n), retriedAt };
}

function entryOf(key: string, records: readonly TimedRecord[]): Entry | undefined {
  const parsed = parseEntryKey(key);
  if (!parsed || parsed.kind === "run" || parsed.kind === "wait") return undefined;
  const own = records.filter(({ kind }) => kind === parsed.kind);
  if (own.length === 0) return undefined;
  const { name, hash } = nameOf(parsed.kind, parsed.address);
  const base = { key, kind: parsed.kind, name, index: parsed.index, records, ...(hash !== undefined && { hash }) };
  if (parsed.kind === "task") return { ...base, ...taskOf(own) };
  if (parsed.kind === "child") return { ...base, ...childOf(own) };
  return { ...base, ...waitOf(own) };
}

function nameOf(kind: EntryKind, address: string): { name: string; hash?: string } {
  const cut = address.lastIndexOf(":");
  if (kind === "task" && cut > 0) return { name: address.slice(0, cut), hash: address.slice(cut + 1) };
  if (kind !== "child") return { name: address };
  // `workflow:version:(reference or hash)`; a version has no colon, a workflow and a reference may have.
  const hashed = /^(.*):([^:]+):([0-9a-f]{64})$/s.exec(address);
  if (hashed?.[1] && hashed[2] && hashed[3]) return { name: `${hashed[1]}@${hashed[2]}`, hash: hashed[3] };
  return { name: address };
}

type Course = Omit<Entry, "key" | "kind" | "name" | "index" | "hash" | "records">;

function taskOf(records: readonly TimedRecord[]): Course {
  const bars: Bar[] = [];
  let last: Extract<HistoryRecord, { kind: "task" }>["value"] | undefined;
  let endsAt: number | undefined;
  for (const record of records) {
    if (record.kind !== "task") continue;
    const { value, at } = record;
    // The same failed attempt once more, said when its time has come.
    if (value.state === "retrying" && last?.state === "retrying" && value.attempts === last.attempts) {
      last = value;
      continue;
    }
    const from = value.timing?.startedAt ?? at;
    const to = from + (value.timing?.elapsedMs ?? 0);
    closeGap(bars, from);
    const look = value.state === "completed" ? "completed" : value.state === "failed" ? "failed" : "retrying";
    bars.push({ from, to, look, label: `attempt ${value.attempts}` });
    if (value.state === "retrying") {
      endsAt = value.nextAttemptAt;
      bars.push({ from: to, look: "gap", label: "until the next attempt" });
    }
    last = value;
  }
  const state = last?.state ?? "failed";
  const ended = state === "completed" || state === "failed";
  const to = ended ? bars.at(-1)?.to : undefined;
  return {
    state,
    from: bars[0]?.from ?? 0,
    ...(to !== undefined && { to }),
    ...(!ended && endsAt !== undefined && { endsAt }),
    bars,
    ...(last && { attempts: last.attempts }),
    ...(last?.state === "completed" && last.output !== undefined && { output: last.output }),
    ...(last && last.state !== "completed" && { error: last.error }),
  };
}

function closeGap(bars: Bar[], at: number): void {
  const open = bars.at(-1);
  if (open?.look === "gap" && open.to === undefined) bars[bars.length - 1] = { ...open, to: Math.max(at, open.from) };
}

function childOf(records: readonly TimedRecord[]): Course {
  let from = records[0]?.at ?? 0;
  let childId = "";
  for (const record of records) {
    if (record.kind !== "child") continue;
    const { value, at } = record;
    childId = value.runId;
    if (value.state === "started") from = at;
    else {
      const { status, output, error } = value;
      const bar = { from, to: at, look: status, label: status };
      return { state: status, from, to: at, bars: [bar], childId, ...optional({ output, error }) };
    }
  }
  return { state: "running", from, bars: [{ from, look: "running", label: "goes on" }], childId };
}

/** A sleep, or a wait for an event. */
function waitOf(records: readonly TimedRecord[]): Course {
  const from = records[0]?.at ?? 0;
  const last = records.at(-1);
  let endsAt: number | undefined;
  for (const { kind, value } of records) {
    if (kind === "sleep" && value.state === "sleeping") endsAt = value.wakeAt;
    if (kind === "event" && value.state === "waiting") endsAt = value.timeoutAt;
  }
  const look = last?.kind === "sleep" ? "sleeping" : "waiting";
  const state = last?.value.state;
  if (!last || state === "sleeping" || state === "waiting") {
    const bar: Bar = { from, look, label: look };
    return { state: look, from, bars: [bar], ...optional({ endsAt }) };
  }
  const output = last.kind === "event" && last.value.state === "received" ? last.value.data : undefined;
  const bar: Bar = { from, to: last.at, look, label: endOf(state) };
  const ended: Look = state === "cancelled" || state === "closed" || state === "timedOut" ? "cancelled" : "completed";
  return { state: ended, from, to: last.at, bars: [bar], ...optional({ output }) };
}

function endOf(state: string | undefined): string {
  if (state === "timedOut") return "timed out";
  if (state === "cancelled") return "woken";
  if (state === "closed") return "given up";
  return state === "received" ? "received" : "over";
}

function optional<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
