/** What one route of the API is. Authorisation, OpenAPI and the tests' matrix are all read from these. */
import type { CheckpointClaims } from "@aikirun/protocol";
import type { z } from "zod";
import type { Caller, Scope } from "./keys.js";
import type { Services } from "./services.js";

export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  /** What the token of a request to a `checkpoint` route speaks of. */
  readonly claims: CheckpointClaims | undefined;
  /** One of the request, by its lower-case name. */
  header(name: string): string | undefined;
  /** Whether the caller is still who it was, and may read: for answers that last. */
  allowed(): Promise<boolean>;
  /** Aborts when the client went away or the server stops. Made when asked for: most routes answer before that. */
  signal(): AbortSignal;
  /** Aborts when the client went away before it had the whole answer. */
  gone(): AbortSignal;
}

export interface Reply {
  readonly status: number;
  /** JSON; absent for a reply without a body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Shape {
  readonly method: "GET" | "POST" | "DELETE";
  /** With `:name` for parameters. */
  readonly path: string;
  /** What a key needs; `public` routes take none, `checkpoint` routes a push's own token. */
  readonly scope: Scope | "public" | "checkpoint";
  readonly summary: string;
  /** Brings, or keeps, what invocations have done: answered also while the server stops. */
  readonly endsInvocations?: true;
  /** Schemas of the successful answers, by status. */
  readonly answers: Readonly<Record<number, z.ZodType | "empty" | "text" | "events">>;
}

export interface Route extends Shape {
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  handle(call: Call<unknown, unknown, unknown>, services: Services): Promise<Reply | Response>;
}

/** Absent `params` and `query` schemas allow none. A POST without a body counts as `{}`. */
export function route<Params = unknown, Query = unknown, Body = unknown>(
  definition: Shape & {
    readonly params?: z.ZodType<Params>;
    readonly query?: z.ZodType<Query>;
    readonly body?: z.ZodType<Body>;
    handle(call: Call<Params, Query, Body>, services: Services): Promise<Reply | Response>;
  },
): Route {
  return definition;
}
