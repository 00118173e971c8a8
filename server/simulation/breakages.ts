/**
 * Deliberate breakages of the rules, each as a wrapper around the product: what the rule is there for must show. A
 * simulation that finds none of these would find nothing else either.
 */
import type { Command, HistoryRecord } from "@aikirun/protocol";
import { type Checkpointed, type ExecuteOptions, type Execution, execute } from "@aikirun/workflow/replay";
import type { Commit, LoadedRun, NewMessage } from "../src/core/run.js";
import { isLive, type Row } from "../src/store/memory-row.js";
import { aroundCheckpoint, aroundCommit, type Breakage, rowOf } from "./breakage.js";
import { LEASE_BREAKAGES } from "./lease-breakages.js";

export const BREAKAGES: readonly Breakage[] = [
  ...LEASE_BREAKAGES,
  {
    name: "commit ignores the generation",
    rule: "fence",
    store: aroundCommit({ before: (commit, row) => ({ ...commit, fence: { ...commit.fence, gen: row.gen } }) }),
  },
  {
    name: "commit ignores the sequence",
    rule: "fence",
    store: aroundCommit({ before: (commit, row) => ({ ...commit, fence: { ...commit.fence, seq: row.seq } }) }),
  },
  {
    name: "park forgets unread mail",
    rule: "2",
    store: aroundCommit({
      after: ({ next }, row) => {
        if (next.type === "park") row.dueAt = next.dueAt;
      },
    }),
  },
  {
    name: "seen is the row's counter, not what was read",
    rule: "3",
    store: aroundCommit({ before: (commit, row) => ({ ...commit, seen: row.mailSeq }) }),
  },
  {
    name: "a duplicate event id is another message",
    rule: "4",
    store: (verbs) => {
      let serial = 0;
      return {
        ...verbs,
        append: (message, ...rest) => verbs.append({ ...message, eventId: `${message.eventId}/${++serial}` }, ...rest),
      };
    },
  },
  {
    name: "a message does not wake",
    rule: "append",
    store: (verbs, rows) => ({
      ...verbs,
      async append(message, ...rest) {
        const row = rowOf(rows, message.ns, message.runId);
        const dueAt = row?.dueAt ?? null;
        const outcome = await verbs.append(message, ...rest);
        if (row && isLive(row)) row.dueAt = dueAt;
        return outcome;
      },
    }),
  },
  {
    name: "a task starts from an uncommitted result",
    rule: "7",
    execute: ahead,
  },
  {
    name: "a task starts before the checkpoint of the result it depends on is acknowledged",
    rule: "7",
    execute: aroundCheckpoint(() => GOES_ON),
  },
  {
    name: "a checkpoint without an acknowledgement counts as recorded",
    rule: "12",
    execute: aroundCheckpoint(async (checkpointed) => {
      const outcome = await checkpointed;
      return outcome.type === "failed" ? GOES_ON : outcome;
    }),
  },
  {
    name: "an invocation goes on after a checkpoint that was refused as stale",
    rule: "11",
    execute: aroundCheckpoint(async (checkpointed) => {
      const outcome = await checkpointed;
      return outcome.type === "unwanted" ? GOES_ON : outcome;
    }),
  },
  {
    name: "what came with a checkpoint is not shown to the handler",
    rule: "8",
    execute: aroundCheckpoint(async (checkpointed) => {
      const outcome = await checkpointed;
      return outcome.type === "committed" ? { ...outcome, records: [] } : outcome;
    }),
  },
  {
    name: "results settle in the order of their keys, not of the records",
    rule: "8",
    execute: (options) => execute({ ...options, records: byKey(options.records) }),
  },
  {
    name: "an event that came early is recorded ahead of the results in the answer that waits for it",
    rule: "8",
    store: aroundCommit({ before: (commit) => ({ ...commit, records: eventsFirst(commit.records) }) }),
  },
  {
    name: "a wait that lost a race keeps its place in the queue",
    rule: "9",
    execute: async (options) => {
      const execution = await execute(options);
      if (execution.state === "diverged") return execution;
      return { ...execution, commands: execution.commands.filter(({ type }) => !type.endsWith(".close")) };
    },
  },
  {
    name: "a wait that is given up swallows the event that filled it",
    rule: "9",
    store: aroundCommit({
      before: (commit, row) => ({
        ...commit,
        queued: commit.queued.filter((n) => !givenBack(commit, row).includes(n)),
      }),
    }),
  },
  {
    name: "an event that is given back goes to the tail of its queue",
    rule: "9",
    store: aroundCommit({
      before(commit, row) {
        const back = givenBack(commit, row).filter((n) => commit.queued.includes(n));
        return { ...commit, queued: [...commit.queued.filter((n) => !back.includes(n)), ...back] };
      },
    }),
  },
  {
    name: "a lost acknowledgement counts as a commit",
    rule: "13",
    link: (link) => ({
      ...link,
      commit: (commit, leaseMs) =>
        link.commit(commit, leaseMs).catch(() => ({ type: "committed" as const, mailSeq: commit.seen })),
    }),
  },
  {
    name: "timers are judged by a clock that is 20 ms ahead",
    rule: "15",
    link: (link) => ({
      ...link,
      now: () => {
        const { earliest, latest } = link.now();
        return { earliest: earliest + 20, latest: latest + 20 };
      },
    }),
  },
  {
    name: "instants are made by a clock that is 20 ms behind",
    rule: "16",
    link: (link) => ({
      ...link,
      now: () => {
        const { earliest, latest } = link.now();
        return { earliest, latest: latest - 20 };
      },
    }),
  },
  {
    name: "a terminal commit ignores unread control messages",
    rule: "19",
    store: aroundCommit({
      before: (commit, row) => {
        if (commit.next.type === "end") row.ctlN = 0;
        return commit;
      },
    }),
  },
  {
    name: "a run that waits for an endpoint parks without a timer",
    rule: "20",
    store: aroundCommit({
      after: ({ next, trouble }, row) => {
        if (next.type === "park" && trouble && row.status === "queued") row.dueAt = null;
      },
    }),
  },
  {
    name: "a run that fails drops the events that it has not read",
    rule: "30",
    store: aroundCommit({
      before: (commit, row) =>
        commit.next.type === "end" ? { ...commit, queued: commit.queued.filter((n) => n <= row.seen) } : commit,
    }),
  },
  {
    name: "pushed again without a new generation",
    rule: "gen + 1 after an unknown outcome",
    store: (verbs, rows) => ({
      ...verbs,
      async bump(ns, runId, gen, leaseMs) {
        const row = rowOf(rows, ns, runId);
        if (!row || row.gen !== gen || !(await verbs.extend(ns, runId, gen, leaseMs))) return undefined;
        return { gen, seq: row.seq, tries: row.tries, mailSeq: row.mailSeq };
      },
    }),
  },
  {
    name: "a claim keeps the generation",
    rule: "gen + 1 for every claim",
    store: (verbs, rows) => ({
      ...verbs,
      async claim(limits) {
        const claimed = await verbs.claim(limits);
        return claimed.map((run) => {
          const row = rowOf(rows, run.facts.ns, run.facts.id);
          if (!row || run.fence.gen === 1) return run;
          row.gen -= 1;
          return { ...run, fence: { ...run.fence, gen: row.gen } };
        });
      },
    }),
  },
  {
    name: "a lease does not keep others away",
    rule: "claim",
    store: (verbs, rows) => ({
      ...verbs,
      claim(limits) {
        for (const row of rows.values()) if (isLive(row) && row.seq % 3 === 1) row.leaseUntil = null;
        return verbs.claim(limits);
      },
    }),
  },
  {
    name: "mail that a commit tells of is not read",
    rule: "3",
    store: (verbs) => ({
      ...verbs,
      async commit(commit, leaseMs) {
        const outcome = await verbs.commit(commit, leaseMs);
        return outcome.type === "committed" && commit.next.type === "keep"
          ? { ...outcome, mailSeq: commit.seen }
          : outcome;
      },
    }),
  },
  {
    name: "a message starts a run before its time",
    rule: "a timer is never early",
    store: (verbs) => ({
      ...verbs,
      claim: async (limits) => (await verbs.claim(limits)).map((run) => ({ ...run, startAt: undefined })),
    }),
  },
  {
    name: "a cancel does not reach the children of the last commit",
    rule: "29",
    store: aroundCommit({
      before: (commit) =>
        commit.next.type === "end"
          ? { ...commit, messages: commit.messages.filter(({ body }) => body.kind !== "cancel") }
          : commit,
    }),
  },
  {
    name: "a workflow retry hides completed entries",
    rule: "30",
    execute: (options) => execute({ ...options, records: withoutCompleted(options.records) }),
  },
  {
    name: "a workflow retry leaves failed entries",
    rule: "30",
    execute: (options) => execute({ ...options, records: options.records.filter(({ kind }) => kind !== "run") }),
  },
  {
    name: "a retried run tells its parent again",
    rule: "30",
    store: (verbs) => ({
      ...verbs,
      commit: (commit, leaseMs) =>
        verbs.commit({ ...commit, messages: commit.messages.map((to) => newEachTime(to, commit)) }, leaseMs),
    }),
  },
  {
    name: "a retried run keeps its generation",
    rule: "gen + 1 for a run that is opened again",
    store: (verbs, rows) => ({
      ...verbs,
      async retry(ns, runId, eventId) {
        const gen = rowOf(rows, ns, runId)?.gen ?? 0;
        const outcome = await verbs.retry(ns, runId, eventId);
        const row = rowOf(rows, ns, runId);
        if (row && outcome.type === "retried") row.gen = gen;
        return outcome;
      },
    }),
  },
  {
    name: "a child's end is lost on a parent that has failed",
    rule: "no lost wake-up",
    store: (verbs, rows) => ({
      ...verbs,
      commit(commit, leaseMs) {
        const messages = commit.messages.filter(({ ns, runId }) => {
          const row = rowOf(rows, ns, runId);
          return row && isLive(row);
        });
        return verbs.commit({ ...commit, messages }, leaseMs);
      },
    }),
  },
  {
    name: "a run's time runs out 15 ms early",
    rule: "15",
    link: (link) => ({
      ...link,
      claim: async (limits) => (await link.claim(limits)).map(hurried),
      load: async (ns, runId) => {
        const run = await link.load(ns, runId);
        return run && hurried(run);
      },
    }),
  },
  {
    name: "a run that waits for its next attempt is parked without a timer",
    rule: "30",
    store: aroundCommit({
      after: ({ records }, row) => {
        if (records.at(-1)?.value.state === "retrying" && records.at(-1)?.kind === "run") row.dueAt = null;
      },
    }),
  },
  {
    name: "a child's end reaches its parent in a statement of its own",
    rule: "messages in the same statement",
    store: (verbs) => {
      let lost = 0;
      return {
        ...verbs,
        commit: (commit, leaseMs) =>
          verbs.commit({ ...commit, messages: commit.messages.filter(() => ++lost % 3 > 0) }, leaseMs),
      };
    },
  },
  {
    name: "a schedule fires without its fence",
    rule: "schedule: seq",
    schedules: (verbs) => ({
      ...verbs,
      async fire(firing) {
        const schedule = await verbs.getSchedule(firing.ns, firing.id);
        return verbs.fire({ ...firing, cause: "trigger", seq: schedule?.seq ?? firing.seq });
      },
    }),
  },
  {
    name: "a schedule goes on, and its run is started by another statement",
    rule: "schedule: one statement",
    schedules: (verbs) => {
      let lost = 0;
      return { ...verbs, fire: (firing) => verbs.fire(++lost % 3 > 0 ? firing : { ...firing, runIds: [] }) };
    },
  },
  {
    name: "a schedule is judged by a clock that is 20 ms ahead",
    rule: "schedule: never early",
    schedules: (verbs) => ({ ...verbs, fire: (firing) => verbs.fire({ ...firing, cause: "trigger" }) }),
    link: (link) => ({
      ...link,
      now: () => {
        const { earliest, latest } = link.now();
        return { earliest: earliest + 20, latest: latest + 20 };
      },
    }),
  },
  {
    name: "a fire does not look at the run before",
    rule: "schedule: overlap",
    schedules: (verbs) => ({
      ...verbs,
      async upcomingSchedules(after, limit) {
        const page = await verbs.upcomingSchedules(after, limit);
        return page.map((schedule) => ({ ...schedule, last: undefined }));
      },
    }),
  },
];

const GOES_ON: Checkpointed = { type: "committed", records: [], answer: false };

/** Replay that shows the handler its own results and lets it start new tasks from them. */
async function ahead(options: ExecuteOptions): Promise<Execution> {
  const commands: Command[] = [];
  const records = [...options.records];
  for (;;) {
    const execution = await execute({ ...options, records });
    if (execution.state === "diverged") return execution;
    commands.push(...execution.commands);
    const done = execution.commands.filter((command) => command.type === "task.completed");
    if (execution.state === "waiting" || done.length === 0) return { state: execution.state, commands };
    for (const { key, taskAttempt: attempts, output } of done) {
      const value = { state: "completed" as const, attempts, ...(output === undefined ? {} : { output }) };
      records.push({ n: records.length + 1, kind: "task", key, value });
    }
  }
}

/** Messages whose waits a commit gives up after they had been filled. */
function givenBack(commit: Commit, row: Row): number[] {
  const closed = commit.records.filter(({ value }) => value.state === "closed").map(({ key }) => key);
  return closed.flatMap((key) => {
    const last = row.records.findLast((record) => record.key === key);
    return last?.kind === "event" && last.value.state === "received" ? [last.value.message] : [];
  });
}

/** Everything before the last retry forgotten, and not only what failed. */
function withoutCompleted(records: readonly HistoryRecord[]): HistoryRecord[] {
  const last = records.findLastIndex(({ value }) => value.state === "retried");
  return records.filter(({ kind, value }, i) => i > last || kind !== "task" || value.state !== "completed");
}

function newEachTime(to: NewMessage, { fence }: Commit): NewMessage {
  return { ...to, eventId: `${to.eventId}/${fence.gen}` };
}

function hurried(run: LoadedRun): LoadedRun {
  const { timeoutMs } = run.facts;
  return timeoutMs === undefined ? run : { ...run, facts: { ...run.facts, timeoutMs: timeoutMs - 15 } };
}

function byKey(records: readonly HistoryRecord[]): HistoryRecord[] {
  return [...records].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.n - b.n));
}

/** Puts what filled a wait ahead of everything else in the commit but the wait itself. */
function eventsFirst(records: readonly HistoryRecord[]): HistoryRecord[] {
  const waits = new Set(
    records.filter(({ kind, value }) => kind === "event" && value.state === "waiting").map(({ key }) => key),
  );
  const first = records.filter(({ key }) => waits.has(key));
  const rest = records.filter(({ key }) => !waits.has(key));
  const from = records[0]?.n ?? 0;
  return [...first, ...rest].map((record, i) => ({ ...record, n: from + i }));
}
