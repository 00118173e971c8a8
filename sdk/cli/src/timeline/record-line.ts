import type { HistoryRecord, RunEntryState, WireError } from "@aikirun/protocol";
import { parseEntryKey } from "@aikirun/protocol/canonical";
import pc from "picocolors";
import { errorTitle } from "../error-text.js";
import type { TimedRecord } from "../history.js";
import { durationText, offsetText, oneLine } from "../text.js";

const TEXT_CHARS = 100;
const NAME_COLUMN = 24;

/**
 * Lines of a timeline: when (after the run's start), what kind of entry, its name, what happened. One per record, so
 * that it can be followed while it grows. `createdAt` is the run's.
 */
export function timeline(createdAt: number): (record: TimedRecord) => string {
  const openedAt = new Map<string, number>();
  return (record) => {
    const firstAt = openedAt.get(record.key) ?? record.at;
    openedAt.set(record.key, firstAt);
    const { mark, text } = describe(record, createdAt, record.at - firstAt);
    const when = pc.dim(offsetText(record.at - createdAt).padStart(10));
    const name = oneLine(nameOf(record), 60).padEnd(NAME_COLUMN);
    return `${when}  ${mark} ${record.kind.padEnd(5)}  ${name}  ${text}`.trimEnd();
  };
}

interface Said {
  readonly mark: string;
  readonly text: string;
}

const done = (text: string): Said => ({ mark: pc.green("✓"), text });
const failed = (text: string): Said => ({ mark: pc.red("✗"), text });
const open = (text: string): Said => ({ mark: pc.cyan("…"), text });
const closed = (text: string): Said => ({ mark: pc.yellow("○"), text });
const givenUp = (openMs: number): Said => closed(`given up after ${durationText(openMs)}`);

/** `openMs`: since the entry's first record. Instants are told as the first column tells them, after the run's start. */
function describe(record: HistoryRecord, createdAt: number, openMs: number): Said {
  switch (record.kind) {
    case "task":
      return describeTask(record.value, createdAt);
    case "sleep":
      if (record.value.state === "sleeping") return open(`sleeps until ${offsetText(record.value.wakeAt - createdAt)}`);
      if (record.value.state === "closed") return givenUp(openMs);
      return record.value.state === "completed" ? done(`slept ${durationText(openMs)}`) : closed("woken early");
    case "event":
      if (record.value.state === "waiting") return open(`waits${untilText(record.value.timeoutAt, createdAt)}`);
      if (record.value.state === "timedOut") return closed(`timed out after ${durationText(openMs)}`);
      if (record.value.state === "closed") return givenUp(openMs);
      return done(`received ${record.value.data === undefined ? "" : payloadText(record.value.data)}`.trimEnd());
    case "child":
      if (record.value.state === "started") return open(`started ${record.value.runId}`);
      return (record.value.status === "completed" ? done : failed)(
        `${record.value.status} after ${durationText(openMs)}`,
      );
    case "wait":
      if (record.value.state === "waiting") return open(`waits${untilText(record.value.timeoutAt, createdAt)}`);
      if (record.value.state === "closed") return givenUp(openMs);
      return record.value.state === "ended" ? done("child ended") : closed(`timed out after ${durationText(openMs)}`);
    case "run":
      return describeRun(record.value, createdAt);
  }
}

function describeRun(value: RunEntryState, createdAt: number): Said {
  switch (value.state) {
    case "woken":
      return closed("woken before its time");
    case "limited":
      return open(`may take ${durationText(value.timeoutMs)}`);
    case "retrying": {
      const again = offsetText(value.nextAttemptAt - createdAt);
      return closed(`attempt ${value.runAttempt} failed: ${errorLine(value.error)}; again at ${again}`);
    }
    case "retried":
      return open(`attempt ${value.runAttempt} begins${value.reopenedAt === undefined ? "" : ", asked for by hand"}`);
    case "completed":
      return done("completed");
    case "failed":
      return failed(`failed: ${errorLine(value.error)}`);
    case "cancelled":
      return closed(`cancelled${value.reason === undefined ? "" : `: ${oneLine(value.reason, TEXT_CHARS)}`}`);
  }
}

function describeTask(value: Extract<HistoryRecord, { kind: "task" }>["value"], createdAt: number): Said {
  const took = value.timing ? durationText(value.timing.elapsedMs) : "";
  const attempt = value.attempts > 1 ? `attempt ${value.attempts}` : "";
  switch (value.state) {
    case "completed":
      return done([took, attempt].filter(Boolean).join(", "));
    case "failed":
      return failed(`attempt ${value.attempts} failed: ${errorLine(value.error)}; no more attempts`);
    case "retrying":
      if (value.due) return open(`attempt ${value.attempts + 1} is due`);
      return closed(
        `attempt ${value.attempts} failed: ${errorLine(value.error)}; again at ${offsetText(value.nextAttemptAt - createdAt)}`,
      );
  }
}

/** What a person called it: hashes are only for machines, an index only counts from the second on. */
function nameOf(record: HistoryRecord): string {
  const key = parseEntryKey(record.key);
  if (!key || key.kind === "run") return "";
  const again = key.index === 0 ? "" : ` #${key.index + 1}`;
  const { address } = key;
  if (key.kind === "task") return address.slice(0, address.lastIndexOf(":")) + again;
  if (key.kind === "child") return childName(address) + again;
  if (key.kind === "wait") return waitedName(address) + again;
  return address + again;
}

/** `workflow:version:(reference or hash)`; a version holds no colon. */
function childName(address: string): string {
  const match = /^(.*):([^:]+):([0-9a-f]{64})$/s.exec(address) ?? /^(.*?):([^:]+):(.*)$/s.exec(address);
  if (!match) return address;
  const reference = /^[0-9a-f]{64}$/.test(match[3] ?? "") ? "" : ` (${match[3]})`;
  return `${match[1]}@${match[2]}${reference}`;
}

/** The child's key, `/`, the awaited status. */
function waitedName(address: string): string {
  const slash = address.lastIndexOf("/");
  const child = parseEntryKey(address.slice(0, slash));
  return child ? `${childName(child.address)} ${address.slice(slash + 1)}` : address;
}

function untilText(timeoutAt: number | undefined, createdAt: number): string {
  return timeoutAt === undefined ? "" : `, at most until ${offsetText(timeoutAt - createdAt)}`;
}

function payloadText(value: unknown): string {
  return pc.dim(oneLine(JSON.stringify(value), TEXT_CHARS));
}

function errorLine(error: WireError): string {
  return oneLine(errorTitle(error), TEXT_CHARS);
}
