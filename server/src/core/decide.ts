/**
 * The decision: what a run's state, an answer, the mail and the time make of the run. Pure: the same input gives the
 * same decision, and nothing is written until the commit that it describes is acknowledged.
 */
import type { Command, ExecuteAnswer, TerminalStatus, WireError } from "@aikirun/protocol";
import type { Instant } from "./clock.js";
import { apply, faultOf } from "./commands.js";
import { Draft, RUN_KEY } from "./draft.js";
import { findCancel, keepForRetry, readMail } from "./mail.js";
import type { Commit, Mail, NewMessage, Next, QueuedMail, RunFacts, Trouble } from "./run.js";
import { addRecord, earliestTimer, type RunState, timeoutAtOf } from "./state.js";

export interface Input {
  /** A valid answer whose `seq` is the state's own. Absent after a claim, a reload or an abort. */
  readonly answer: Pick<ExecuteAnswer, "state" | "commands"> | undefined;
  /** Messages above `state.seen`, in order: all that were read. */
  readonly mail: readonly Mail[];
  readonly now: Instant;
  /** Whether the endpoint is known to have nothing to do without news: the run was parked by a `waiting` answer. */
  readonly suspended: boolean;
  /** Most children that one commit tells of this run's cancel. */
  readonly maxTold: number;
  /** The time limit of the run's version, as far as it is known who serves it. */
  readonly versionTimeoutMs?: number | undefined;
}

export interface Decision {
  readonly records: Commit["records"];
  readonly children: Commit["children"];
  readonly messages: Commit["messages"];
  readonly seen: number;
  readonly queued: readonly QueuedMail[];
  readonly paused: boolean;
  readonly stalled: boolean;
  readonly startAt: number | undefined;
  /**
   * `push`: the endpoint has something to do now. `tell`: a cancelled run has more children than one commit tells; some
   * are told, nothing else changes, and the same decision is to be taken again.
   */
  readonly next: { readonly type: "push" | "tell" } | Exclude<Next, { type: "keep" }>;
  /** Whether anything is to be written before going on. */
  readonly writes: boolean;
}

/** An answer that must not be committed: the delivery failed. */
export interface Refusal {
  readonly code: "BAD_ANSWER" | "NO_PROGRESS";
  readonly message: string;
}

export function decide(state: RunState, input: Input): Decision | Refusal {
  const draft = new Draft(state, input.now);
  const commands = input.answer?.commands ?? [];
  const fault = faultOf(commands, draft);
  if (fault) return { code: "BAD_ANSWER", message: `The answer cannot be applied: ${fault}.` };

  const last = commands.at(-1)?.type;
  const goesOn = last !== "run.completed" && last !== "run.failed";
  // Known from now on, whoever serves the version later.
  if (input.answer && goesOn && state.timeoutMs === undefined && input.versionTimeoutMs !== undefined) {
    draft.put({ kind: "run", key: RUN_KEY, value: { state: "limited", timeoutMs: input.versionTimeoutMs } });
  }
  for (const command of commands) apply(command, draft);
  const ended = endOf(commands, draft);
  if (ended) {
    draft.cancelled = findCancel(input.mail);
    if (ended.status === "failed" && !draft.cancelled) keepForRetry(input.mail, draft);
  } else {
    if (input.answer) {
      const refusal = progressFault(input.answer, draft);
      if (refusal) return refusal;
    }
    // Not with the wait's own command: the handler has seen the results that its answer names later, and no event.
    draft.deliverEvents();
    readMail(input.mail, draft);
    if (!draft.cancelled) draft.fire(input.now.earliest);
  }

  const timeoutAt = timeoutAtOf(state, input.versionTimeoutMs);
  const end = draft.cancelled ? cancelledEnd(draft.cancelled.reason) : (ended ?? timedOut(draft, timeoutAt));
  const cancels = draft.cancelled ? childrenToCancel(draft) : [];
  if (cancels.length > input.maxTold) return tellSome(state, cancels.slice(0, input.maxTold));
  if (end) recordEnd(end, draft);
  const seen = input.mail.at(-1)?.n ?? state.seen;
  const next = end ?? goOn(draft, input, timeoutAt);
  return {
    records: draft.records,
    // A run that ends by itself leaves the children that its last answer starts; one that is cancelled starts none.
    children: draft.cancelled ? [] : draft.children,
    messages: end ? farewells(state, cancels, end) : [],
    seen,
    queued: draft.queued,
    paused: draft.paused,
    stalled: draft.stalled,
    startAt: draft.startAt,
    next,
    writes: draft.records.length > 0 || seen !== state.seen || draft.startAt !== state.startAt || next.type !== "push",
  };
}

/** The cancel stays unread until the last children are told, so that whoever takes over after a crash goes on with it. */
function tellSome(state: RunState, messages: readonly NewMessage[]): Decision {
  const { seen, queued, paused, stalled, startAt } = state;
  return {
    records: [],
    children: [],
    messages,
    seen,
    queued,
    paused,
    stalled,
    startAt,
    next: { type: "tell" },
    writes: true,
  };
}

type End = Extract<Next, { type: "end" }>;

const NOTHING = { output: undefined, error: undefined, failedTask: undefined, reason: undefined };

function endOf(commands: readonly Command[], draft: Draft): End | undefined {
  const last = commands.at(-1);
  if (last?.type === "run.completed") return { ...NOTHING, type: "end", status: "completed", output: last.output };
  if (last?.type === "run.failed") {
    const failedTask = last.task !== undefined && draft.entry(last.task)?.kind === "task" ? last.task : undefined;
    return { ...NOTHING, type: "end", status: "failed", error: last.error, failedTask };
  }
  return undefined;
}

/** The end of a run whose time is surely over. While it is paused or stalled its time stands still, like every timer. */
function timedOut(draft: Draft, timeoutAt: number | undefined): End | undefined {
  if (timeoutAt === undefined || timeoutAt > draft.now.earliest || draft.paused || draft.stalled) return undefined;
  const { facts, timedFrom } = draft.state;
  const error: WireError = {
    name: "AikiError",
    code: "RUN_TIMEOUT",
    message:
      `The run did not end within the ${timeoutAt - timedFrom} ms that it may take. Allow more with timeout, ` +
      `or let it go on from where it stands: aiki runs retry ${facts.id}`,
  };
  return { ...NOTHING, type: "end", status: "failed", error };
}

function cancelledEnd(reason: string | undefined): End {
  return { ...NOTHING, type: "end", status: "cancelled", reason };
}

function recordEnd(end: End, draft: Draft): void {
  if (end.status === "completed") {
    const output = end.output === undefined ? {} : { output: end.output };
    draft.put({ kind: "run", key: RUN_KEY, value: { state: "completed", ...output } });
  } else if (end.status === "failed" && end.error) {
    const task = end.failedTask === undefined ? {} : { task: end.failedTask };
    draft.put({ kind: "run", key: RUN_KEY, value: { state: "failed", error: end.error, ...task } });
  } else {
    const reason = end.reason === undefined ? {} : { reason: end.reason };
    draft.put({ kind: "run", key: RUN_KEY, value: { state: "cancelled", ...reason } });
  }
}

/** `waiting` with nothing open would park the run for ever; `more` without a record would push it for ever. */
function progressFault(answer: Pick<ExecuteAnswer, "state" | "commands">, draft: Draft): Refusal | undefined {
  if (answer.state === "more" && draft.records.every(({ kind }) => kind === "run")) {
    return { code: "NO_PROGRESS", message: "The endpoint asked for another push without a new result." };
  }
  if (answer.state === "waiting" && !draft.news && draft.openEntries()[Symbol.iterator]().next().done) {
    return {
      code: "NO_PROGRESS",
      message: "The endpoint says that the run waits, but no sleep, event, child or retry is open.",
    };
  }
  return undefined;
}

function goOn(draft: Draft, input: Input, timeoutAt: number | undefined): Decision["next"] {
  // In this order: who pauses a stalled run and resumes it has not mended what stalled it.
  if (draft.stalled) return { type: "park", status: "stalled", dueAt: null };
  if (draft.paused) return { type: "park", status: "paused", dueAt: null };
  if (draft.startAt !== undefined) return { type: "park", status: "scheduled", dueAt: draft.startAt };
  const idle = input.answer ? input.answer.state === "waiting" : input.suspended;
  if (!draft.retrying && (!idle || draft.news)) return { type: "push" };
  const timerAt = earliestTimer(draft.openEntries()) ?? Number.POSITIVE_INFINITY;
  const dueAt = Math.min(timerAt, timeoutAt ?? Number.POSITIVE_INFINITY);
  return { type: "park", status: "suspended", dueAt: dueAt === Number.POSITIVE_INFINITY ? null : dueAt };
}

/** What a run that ends tells others: its parent how it ended; its live children, when it was cancelled, to stop. */
function farewells({ facts }: RunState, cancels: readonly NewMessage[], end: End): NewMessage[] {
  return facts.parent ? [toParent(facts, facts.parent, end), ...cancels] : [...cancels];
}

/** One for each child that lives and was not told yet. */
function childrenToCancel(draft: Draft): NewMessage[] {
  const { facts, open, told } = draft.state;
  const messages: NewMessage[] = [];
  for (const key of open) {
    const child = draft.entry(key);
    if (child?.kind !== "child" || child.value.state !== "started" || told.has(child.value.runId)) continue;
    const body = { kind: "cancel" as const, reason: `its parent ${facts.id} was cancelled` };
    messages.push({ ns: facts.ns, runId: child.value.runId, eventId: `parent-cancelled:${facts.id}`, body });
  }
  return messages;
}

function toParent(facts: RunFacts, parent: { id: string; key: string }, end: End): NewMessage {
  const status: TerminalStatus = end.status;
  return {
    ns: facts.ns,
    runId: parent.id,
    eventId: `child-ended:${facts.id}`,
    body: { kind: "child", key: parent.key, status, output: end.output, error: end.error },
  };
}

/** The commit that writes a decision. */
export function commitOf(state: RunState, decision: Decision, commitId: string, trouble?: Trouble): Commit {
  return {
    ns: state.facts.ns,
    runId: state.facts.id,
    fence: state.fence,
    commitId,
    seen: decision.seen,
    queued: decision.queued.map((mail) => mail.n),
    paused: decision.paused,
    startAt: decision.startAt,
    records: decision.records,
    trouble,
    children: decision.children,
    messages: decision.messages,
    next: keeps(decision.next) ? { type: "keep" } : decision.next,
  };
}

function keeps(next: Decision["next"]): next is { readonly type: "push" | "tell" } {
  return next.type === "push" || next.type === "tell";
}

/** Takes an acknowledged decision into the state. */
export function settle(state: RunState, decision: Decision, trouble?: Trouble): void {
  for (const record of decision.records) addRecord(state, record);
  state.fence = { ...state.fence, seq: state.fence.seq + 1 };
  state.seen = decision.seen;
  state.queued = decision.queued;
  state.paused = decision.paused;
  state.stalled = decision.stalled;
  state.startAt = decision.startAt;
  if (decision.next.type === "tell") for (const { runId } of decision.messages) state.told.add(runId);
  state.trouble = trouble;
  if (decision.records.length > 0) state.tries = 0;
}

/** A commit that decides nothing and lets the run go: to be looked at again at `dueAt`, or by a person. */
export function letGo(
  state: RunState,
  commitId: string,
  status: "queued" | "stalled",
  dueAt: number | null,
  trouble: Trouble | undefined,
): Commit & { readonly next: { readonly type: "park" } } {
  // A pause that a checkpoint has read takes effect now: only a message is to wake the run.
  const isPaused = state.paused && status === "queued";
  return {
    ns: state.facts.ns,
    runId: state.facts.id,
    fence: state.fence,
    commitId,
    seen: state.seen,
    queued: state.queued.map((mail) => mail.n),
    paused: state.paused,
    startAt: state.startAt,
    records: [],
    trouble,
    children: [],
    messages: [],
    next: { type: "park", status: isPaused ? "paused" : status, dueAt: isPaused ? null : dueAt },
  };
}
