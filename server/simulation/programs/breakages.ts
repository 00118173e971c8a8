/**
 * Further deliberate breakages, of core, replay, store and checkpoints, beside those in `../breakages.ts`: each must show
 * in what some random program does.
 */
import type { HistoryRecord } from "@aikirun/protocol";
import { parseEntryKey } from "@aikirun/protocol/canonical";
import { execute } from "@aikirun/workflow/replay";
import type { Commit } from "../../src/core/run.js";
import type { Row } from "../../src/store/memory-row.js";
import { aroundCheckpoint, aroundCommit, type Breakage } from "../breakage.js";

export const PROGRAM_BREAKAGES: readonly Breakage[] = [
  {
    name: "an attempt that failed counts twice",
    rule: "core: attempts",
    store: eachRecord((record) =>
      record.kind === "task" && record.value.state === "retrying" && !record.value.due
        ? { ...record, value: { ...record.value, attempts: record.value.attempts + 1 } }
        : record,
    ),
  },
  {
    name: "a task is tried once more than its policy says",
    rule: "replay: retry",
    execute: async (options) => {
      const execution = await execute(options);
      if (execution.state === "diverged") return execution;
      const commands = execution.commands.map((command) =>
        command.type === "task.failed" && command.taskAttempt === 3
          ? { ...command, type: "task.retry" as const, delayMs: 5 }
          : command,
      );
      return { ...execution, commands };
    },
  },
  {
    name: "an event goes to the wait that was called last",
    rule: "core: mail",
    store: aroundCommit({ before: (commit, row) => ({ ...commit, records: toTheLastWait(commit.records, row) }) }),
  },
  {
    name: "an event carries the data of the one before it",
    rule: "core: mail",
    store: eachRecord((record, row) => {
      if (record.kind !== "event" || record.value.state !== "received") return record;
      const older = row.mail.slice(0, record.value.message - 1).findLast(({ body }) => body.kind === "event");
      return older?.body.kind === "event"
        ? { ...record, value: { ...record.value, data: older.body.data as number } }
        : record;
    }),
  },
  {
    name: "a timeout beats an event that was accepted before it",
    rule: "core: timers against mail",
    store: aroundCommit({ before: timersLast }),
  },
  {
    name: "timers settle in the order of their calls",
    rule: "core: timers",
    store: aroundCommit({ before: (commit, row) => ({ ...commit, records: timersByCall(commit.records, row) }) }),
  },
  {
    name: "a child's end is swallowed while its parent is pushing",
    rule: "store: messages",
    store: (verbs, rows) => ({
      ...verbs,
      commit: (commit, leaseMs) => {
        const pushing = (runId: string) =>
          [...rows.values()].some((row) => row.facts.id === runId && row.leaseUntil !== null);
        const messages = commit.messages.filter(({ runId, body }) => body.kind !== "child" || !pushing(runId));
        return verbs.commit({ ...commit, messages }, leaseMs);
      },
    }),
  },
  {
    name: "a child that fails counts as completed",
    rule: "core: children",
    store: eachRecord((record) =>
      record.kind === "child" && record.value.state === "ended" && record.value.status === "failed"
        ? { ...record, value: { ...record.value, status: "completed" as const } }
        : record,
    ),
  },
  {
    name: "a child is started with its parent's input",
    rule: "core: children",
    store: aroundCommit({
      before: (commit, row) => ({
        ...commit,
        children: commit.children.map((child) => ({ ...child, facts: { ...child.facts, input: row.facts.input } })),
      }),
    }),
  },
  {
    name: "calls that are alike share the first one's result",
    rule: "replay: keys",
    execute: (options) =>
      execute({ ...options, records: options.records.map((record) => sharing(record, options.records)) }),
  },
  {
    name: "a replay's catch sees another error than the one recorded",
    rule: "replay: errors",
    execute: (options) =>
      execute({
        ...options,
        records: options.records.map((record) =>
          record.kind === "task" && record.value.state === "failed"
            ? { ...record, value: { ...record.value, error: { ...record.value.error, message: "failed" } } }
            : record,
        ),
      }),
  },
  {
    name: "what came with a checkpoint is shown last first",
    rule: "checkpoint: order",
    execute: aroundCheckpoint(async (checkpointed) => {
      const outcome = await checkpointed;
      return outcome.type === "committed" ? { ...outcome, records: outcome.records.toReversed() } : outcome;
    }),
  },
  {
    name: "an acknowledged commit loses the result that stands last in it",
    rule: "store: commit",
    store: aroundCommit({
      before: (commit) => {
        const last = commit.records.at(-1);
        const loses = commit.records.length > 1 && last?.kind === "task" && last.value.state === "completed";
        return loses ? { ...commit, records: commit.records.slice(0, -1) } : commit;
      },
    }),
  },
  {
    name: "the winner of a race is the one that was called first",
    rule: "replay: order",
    execute: (options) => execute({ ...options, records: byCall(options.records) }),
  },
];

function eachRecord(change: (record: HistoryRecord, row: Row) => HistoryRecord): Breakage["store"] & {} {
  return aroundCommit({
    before: (commit, row) => ({ ...commit, records: commit.records.map((record) => change(record, row)) }),
  });
}

function toTheLastWait(records: readonly HistoryRecord[], row: Row): HistoryRecord[] {
  const open = new Map<string, HistoryRecord>();
  for (const record of row.records) open.set(record.key, record);
  return records.map((record) => {
    const name = parseEntryKey(record.key)?.address;
    const isReceived = record.kind === "event" && record.value.state === "received";
    const waiting = [...open.values()].filter(
      ({ kind, key, value }) => kind === "event" && value.state === "waiting" && parseEntryKey(key)?.address === name,
    );
    const last = isReceived ? waiting.at(-1) : undefined;
    const changed = last ? { ...record, key: last.key } : record;
    open.set(changed.key, changed);
    return changed;
  });
}

function isTimeUp({ kind, value }: HistoryRecord): boolean {
  return value.state === "timedOut" || (kind === "sleep" && value.state === "completed");
}

/** What time has ended changes places with what messages have, in their commit. */
function timersLast(commit: Commit): Commit {
  const late = commit.records.filter(isTimeUp);
  return { ...commit, records: numbered([...commit.records.filter((one) => !isTimeUp(one)), ...late], commit.records) };
}

function timersByCall(records: readonly HistoryRecord[], row: Row): HistoryRecord[] {
  const calledAt = (key: string) => row.records.findIndex((record) => record.key === key);
  const due = records.filter((record) => isTimeUp(record) && calledAt(record.key) >= 0);
  const sorted = due.toSorted((a, b) => calledAt(a.key) - calledAt(b.key));
  return numbered(
    records.map((record) => (due.includes(record) ? (sorted.shift() ?? record) : record)),
    records,
  );
}

function sharing(record: HistoryRecord, records: readonly HistoryRecord[]): HistoryRecord {
  if (record.kind !== "task" || record.value.state !== "completed") return record;
  const key = record.key.replace(/#\d+$/, "#0");
  const first = records.find((other) => other.key === key && other.value.state === "completed");
  return first ? ({ ...first, n: record.n, key: record.key } as HistoryRecord) : record;
}

/** A history whose waits and work settle in the order of their first records, which is that of the calls. */
function byCall(records: readonly HistoryRecord[]): HistoryRecord[] {
  const first = new Map<string, number>();
  for (const { key, n } of records) if (!first.has(key)) first.set(key, n);
  const sorted = records.toSorted((a, b) => (first.get(a.key) ?? 0) - (first.get(b.key) ?? 0) || a.n - b.n);
  return numbered(sorted, records);
}

function numbered(records: readonly HistoryRecord[], like: readonly HistoryRecord[]): HistoryRecord[] {
  return records.map((record, i) => ({ ...record, n: like[i]?.n ?? record.n }));
}
