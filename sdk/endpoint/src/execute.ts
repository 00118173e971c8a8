/** Carries an authentic push out: finds its workflow and its history, replays, and answers what came of it. */
import type {
  Divergence,
  ExecuteAnswer,
  ExecuteRequest,
  HistoryRecord,
  PushedRun,
  ReplayAnswer,
  ReplayRequest,
} from "@aikirun/protocol";
import { runAttemptOf } from "@aikirun/protocol/canonical";
import type { HttpSend } from "@aikirun/protocol/http";
import type { Logger } from "@aikirun/workflow";
import { compare, defaultHost, execute as replayAndGoOn } from "@aikirun/workflow/replay";
import { checkpointsOf } from "./checkpoint.js";
import type { CheckpointLine } from "./checkpoint-line.js";
import type { ContextMaker } from "./context.js";
import type { KeptHistory } from "./kept-history.js";
import type { TroubleLog } from "./logger.js";
import { wholeHistory, wholeSlice } from "./long-history.js";
import { Refusal } from "./refusal.js";
import type { Registry } from "./registry.js";
import { ANSWER_MS, type Span, workMs } from "./span.js";
import type { Unreachable } from "./unreachable.js";

export interface ExecuteDeps {
  readonly registry: Registry;
  readonly kept: KeptHistory;
  readonly logger: Logger;
  readonly log: TroubleLog;
  readonly line: CheckpointLine;
  readonly send: HttpSend;
  readonly unreachable: Unreachable;
  readonly context: ContextMaker;
}

export interface Invocation {
  readonly span: Span;
  /** Whether a developer reads the log. */
  readonly development: boolean;
  /** What the runtime passed with the request. */
  readonly bindings: object | undefined;
}

/** Throws a `Refusal`. Whether the push can be carried out at all is decided before any task starts. */
export async function execute(
  push: ExecuteRequest,
  bytes: number,
  { span, development, bindings }: Invocation,
  { registry, kept, logger, log, line, send, unreachable, context: contextFor }: ExecuteDeps,
): Promise<ExecuteAnswer> {
  const { pushId, run, fence, history } = push;
  const workflow = registry.get(run.workflow, run.version);
  const { records, bytes: readBytes } = await wholeSlice(push, send);
  checkOrder(records, history.after?.n ?? 0, history.head.n);
  const completed = kept.complete(run.id, { ...history, records }, bytes + readBytes);
  if (!completed) {
    throw new Refusal(
      409,
      "HISTORY_NEEDED",
      "This instance does not hold the earlier history. Push again with all of it.",
    );
  }
  const { keeps } = completed;
  const context = await contextFor(run, bindings);
  const leftMs = () => span.endsAt - ANSWER_MS - Date.now();
  const toWorkMs = () => workMs(span.endsAt - Date.now());
  const checkpoints = checkpointsOf(push, { line, log, unreachable, leftMs, gone: span.gone });
  const outcome = await replayAndGoOn({
    workflow,
    run,
    records: completed.history.records,
    history: completed.history,
    host: defaultHost,
    logger,
    context,
    budgetMs: toWorkMs(),
    moreTime: span.extended.then(toWorkMs),
    warnsOfPlainAwaits: development,
    signal: span.gone,
    ...(checkpoints && { checkpoint: checkpoints.checkpoint }),
  });
  if (outcome.state === "diverged") throw diverged(run, outcome.divergence);
  const { state, commands } = outcome;
  const seq = checkpoints?.seq() ?? fence.seq;
  const ended = commands.some(({ type }) => type === "run.completed" || type === "run.failed");
  if (ended) kept.forget(run.id);
  return { runId: run.id, pushId, ...fence, seq, state, commands, ...(keeps && !ended && { keeps }) };
}

/** Only asks whether the history still fits the code: no task runs, and the handler's lines are not written. */
export async function replay(
  { run: pushed, history }: ReplayRequest,
  { maxDurationMs, bindings }: Pick<Invocation, "bindings"> & { readonly maxDurationMs: number },
  { registry, send, context: contextFor }: ExecuteDeps,
): Promise<ReplayAnswer> {
  const workflow = registry.get(pushed.workflow, pushed.version);
  const records = await wholeHistory(history, send);
  const run = { ...pushed, runAttempt: runAttemptOf(records) };
  checkOrder(records, 0, Number.POSITIVE_INFINITY);
  const budgetMs = Math.min(REPLAY_MS, workMs(maxDurationMs));
  const answer = await compare({
    workflow,
    run,
    records,
    host: defaultHost,
    logger: NO_LOG,
    context: await contextFor(run, bindings),
    budgetMs,
  });
  if (answer) return answer;
  throw new Refusal(
    422,
    "OUT_OF_TIME",
    `The handler of ${run.workflow}@${run.version} did not come to rest within ${budgetMs / 1_000} s, so that it is ` +
      `not known whether ${run.id} fits. It awaits something slow that is not a task.`,
  );
}

/** A replay that takes longer hangs on something that is not durable. */
const REPLAY_MS = 15_000;
const drop = (): void => {};
const NO_LOG: Logger = { trace: drop, debug: drop, info: drop, warn: drop, error: drop };

/** Records come in the order of their numbers, between the cursor and the head. */
function checkOrder(records: readonly HistoryRecord[], after: number, head: number): void {
  let last = after;
  for (const { n } of records) {
    if (n <= last || n > head)
      throw new Refusal(
        400,
        "INVALID_REQUEST",
        `History record ${n} is out of order, after ${last} and up to ${head}.`,
      );
    last = n;
  }
}

function diverged(run: PushedRun, divergence: Divergence): Refusal {
  const list = (items: readonly string[]) => items.slice(0, 5).join(", ") || "nothing";
  return new Refusal(
    409,
    "NON_DETERMINISM",
    `Run ${run.id} no longer fits the code. Recorded but not asked for: ${list(divergence.leftover)}. ` +
      `Asked for instead: ${list(divergence.asked)}. Nothing was executed. ` +
      `Put back what ${run.workflow}@${run.version} asked for, or serve this change as a new version.`,
    { divergence },
  );
}
