/** What the endpoint asks of the replay engine. */
import type { Command, Divergence, HistoryRecord, PushedRun } from "@aikirun/protocol";
import type { Logger, ServableVersion } from "@aikirun/workflow";

export interface Executor {
  /** Replays a run and goes on with it until it parks, ends, or `signal` aborts. */
  execute(work: Replay & { readonly signal: AbortSignal }): Promise<Executed>;
  /** Replays only; how the history does not fit, or undefined. */
  check(work: Replay): Promise<Divergence | undefined>;
}

export interface Replay {
  readonly version: ServableVersion;
  readonly run: PushedRun;
  readonly records: readonly HistoryRecord[];
  readonly logger: Logger;
}

export type Executed =
  | { readonly type: "answer"; readonly state: "waiting" | "more"; readonly commands: Command[] }
  | { readonly type: "diverged"; readonly divergence: Divergence };

/** Stands in until the replay engine is here. */
export const replayExecutor: Executor = {
  async execute({ version, run }) {
    const handler = version.definition.handler as (run: unknown, input: unknown) => unknown;
    const output = (await handler({ id: run.id }, run.input)) as never;
    return { type: "answer", state: "waiting", commands: [{ type: "run.completed", ...(output !== undefined && { output }) }] };
  },
  check: async () => undefined,
};
