import { AikiError, type Divergence, type PushedRun } from "@aikirun/protocol";
import type { AnyVersion, Logger, ServeArguments } from "@aikirun/workflow";
import { compare, defaultHost, makeContext } from "@aikirun/workflow/replay";
import type * as z from "zod";
import { divergenceText } from "./divergence-text.js";
import { recordedRunSchema } from "./recorded-run.js";

export type Replayed =
  | { readonly fits: true }
  /** `reason` says in sentences what `divergence` lists. */
  | { readonly fits: false; readonly reason: string; readonly divergence: Divergence };

/** Real time: a handler that comes to rest does so at once, and one that waits for something slow is not to be tested so. */
const BUDGET_MS = 15_000;
const GRACE_MS = 200;
const drop = (): void => {};
const SILENT: Logger = { trace: drop, debug: drop, info: drop, warn: drop, error: drop };

/**
 * Asks whether a recorded run still fits the code of its version, as `aiki check` does: no task runs. `recorded` is what
 * `aiki runs history RUN --json` prints, or a run's `history()` in a test. Rejects with `INVALID_ARGUMENT` for anything else,
 * and with `OUT_OF_TIME` when the handler does not come to rest. `context` is for `run.context`, as for `testAiki`.
 */
export async function replayHistory<Version extends AnyVersion>(
  version: Version,
  recorded: unknown,
  ...[options]: ServeArguments<readonly [Version], object>
): Promise<Replayed> {
  const { run: recordedRun, records } = parse(recorded);
  const run = pushed(recordedRun);
  const subject = `${version.name}@${version.versionId}`;
  if (`${run.workflow}@${run.version}` !== subject) {
    throw new AikiError("INVALID_ARGUMENT", `${run.id} is of ${run.workflow}@${run.version}, not of ${subject}.`);
  }
  const answer = await compare({
    workflow: version,
    run,
    records,
    host: defaultHost,
    logger: SILENT,
    context: await makeContext(options?.context, run, undefined),
    budgetMs: BUDGET_MS,
    graceMs: GRACE_MS,
  });
  if (!answer) {
    throw new AikiError("OUT_OF_TIME", `The handler of ${subject} awaits something slow that is not a task.`);
  }
  if (answer.fits) return answer;
  const { divergence, thrown } = answer;
  const failed = thrown ? ` It would fail with ${thrown.name}: ${thrown.message}` : "";
  return { fits: false, reason: `${divergenceText(divergence)}${failed}`, divergence };
}

type Recorded = z.infer<typeof recordedRunSchema>;

function parse(recorded: unknown): Recorded {
  const parsed = recordedRunSchema.safeParse(recorded);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AikiError(
    "INVALID_ARGUMENT",
    `This is not a recorded run (at ${issue?.path.join(".") || "its root"}: ${issue?.message}). Make one with: aiki runs history RUN --json.`,
  );
}

function pushed({ id, workflow, version, input, reference, runAttempt, createdAt }: Recorded["run"]): PushedRun {
  return {
    id,
    workflow,
    version,
    ...(input !== undefined && { input }),
    runAttempt,
    createdAt,
    options: reference === undefined ? {} : { reference },
  };
}
