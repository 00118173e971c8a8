/** What an application gives every handler as `run.context`: its type, and where whatever serves workflows gets it. */
import type { PushedRun } from "@aikirun/protocol";
import type { RunOptions } from "./engine.js";
import type { ServableVersion } from "./workflow.js";

/** The run that a context is made for. */
export interface ContextRun {
  readonly id: string;
  /** The workflow's name. */
  readonly name: string;
  readonly versionId: string;
  readonly options: RunOptions;
}

/**
 * A context, or a function that makes one. The function is called once for each invocation, replays included, before the
 * handler: what it throws fails that delivery and not the run. `bindings` are what the runtime passed with the request
 * (`env` on Workers). A context that is itself a function has to be made by one.
 */
export type ContextSource<Context> =
  | ([Context] extends [(...args: never) => unknown] ? never : Context)
  | ((run: ContextRun, bindings: object | undefined) => Context | Promise<Context>);

/** Any version, whatever context its handler needs. */
export type AnyVersion = ServableVersion<never>;

/** What serves all of these versions as their context: the intersection of what they declare, `unknown` for none. */
export type ContextOf<Versions extends readonly AnyVersion[]> = (
  Versions[number] extends infer Version
    ? Version extends ServableVersion<infer Context>
      ? (context: Context) => void
      : never
    : never
) extends (context: infer Context) => void
  ? Context
  : never;

/** The option `context` of whatever serves these versions: required when one of them declares a context. */
export type ContextOption<Versions extends readonly AnyVersion[]> =
  unknown extends ContextOf<Versions>
    ? { readonly context?: ContextSource<unknown> }
    : { readonly context: ContextSource<ContextOf<Versions>> };

/** The arguments after a list of versions: options, which may be left out unless a context is required. */
export type ServeArguments<Versions extends readonly AnyVersion[], Options> =
  unknown extends ContextOf<Versions>
    ? [options?: Options & ContextOption<Versions>]
    : [options: Options & ContextOption<Versions>];

/** The context of one invocation. Rejects with what the function throws. */
export async function makeContext(
  source: ContextSource<unknown> | undefined,
  { id, workflow, version, options: { reference } }: PushedRun,
  bindings: object | undefined,
): Promise<unknown> {
  if (typeof source !== "function") return source;
  const run: ContextRun = {
    id,
    name: workflow,
    versionId: version,
    options: reference === undefined ? {} : { reference },
  };
  return (source as (...of: unknown[]) => unknown)(run, bindings);
}
