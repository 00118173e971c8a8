/** Whoever runs the code of a test's workflows, in this process: an endpoint that is pushed to, or a worker that pulls. */
import type { Client } from "@aikirun/client";
import type { AnyVersion, ContextSource, Logger } from "@aikirun/workflow";

export interface App {
  /** Deploys other code in this one's place; the orchestrator is told. */
  serve(workflows: readonly AnyVersion[]): Promise<void>;
  /** Takes no work until it serves again. */
  rest(): Promise<void>;
  /**
   * Cuts every connection, as if this process were no more: what is under way is lost to the orchestrator, goes on here
   * without notice, and never has a word in it again.
   */
  cut(): Promise<void>;
  stop(): Promise<void>;
}

export interface AppOptions {
  /** Where pushes go or polls come from: a namespace of an orchestrator. */
  readonly url: string;
  readonly apiKey: string;
  readonly namespace: string;
  readonly aiki: Client;
  readonly logger: Logger;
  readonly context: ContextSource<unknown> | undefined;
  /** Happens between the end of an invocation of this run and the orchestrator's hearing of its answer. */
  beforeAnswer(runId: string): Promise<void>;
}
