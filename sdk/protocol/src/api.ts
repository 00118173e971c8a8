/** Bodies of the orchestrator's HTTP API, version 1. Unknown fields are refused. */
import * as z from "zod";
import { recordSchema } from "./history.js";
import { LIMITS } from "./limits.js";
import { divergenceSchema, jsonSchemaDocument, manifestSchema } from "./push.js";
import {
  durationMsSchema,
  endpointIdSchema,
  instantSchema,
  isPlainText,
  jsonSchema,
  keyIdSchema,
  messageIdSchema,
  nameSchema,
  namespaceSchema,
  referenceIdSchema,
  retryPolicySchema,
  runIdSchema,
  runStatusSchema,
  scheduleIdSchema,
  terminalStatusSchema,
  timeLimitMsSchema,
  versionSchema,
  wireErrorSchema,
} from "./values.js";

export const apiErrorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});
export type ApiError = z.infer<typeof apiErrorSchema>;

export const startRunBodySchema = z.strictObject({
  /** Made by the client, so that a retry after a lost answer is the same request. */
  id: runIdSchema.optional(),
  workflow: nameSchema,
  version: versionSchema,
  input: jsonSchema.optional(),
  reference: z
    .strictObject({
      id: referenceIdSchema,
      /** What to do when the reference belongs to a run with another input. Default `error`. */
      conflictPolicy: z.enum(["error", "return_existing"]).optional(),
    })
    .optional(),
  trigger: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("immediate") }),
      z.strictObject({ type: z.literal("delayed"), delayMs: durationMsSchema }),
      z.strictObject({ type: z.literal("at"), at: instantSchema }),
    ])
    .optional(),
  /** What happens when the handler fails. Default: what its version says. */
  retry: retryPolicySchema.optional(),
  /** How long the run may take, from when it is due. Default: what its version says. */
  timeoutMs: timeLimitMsSchema.optional(),
  pool: nameSchema.optional(),
});
export type StartRunBody = z.infer<typeof startRunBodySchema>;

/** One thing a suspended run waits for. `at`: when it ends by itself. */
export const openWaitSchema = z.strictObject({
  kind: z.enum(["sleep", "event", "child", "retry", "endpoint"]),
  name: z.string(),
  at: instantSchema.optional(),
  runId: runIdSchema.optional(),
});
export type OpenWait = z.infer<typeof openWaitSchema>;

/** Why the run's last delivery failed or why it is stalled. */
export const troubleSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  at: instantSchema,
  /** Failed deliveries in a row. */
  deliveries: z.number().int(),
  /** When the first of them failed. */
  since: instantSchema.optional(),
  /** How many of them were lost after the request was sent. */
  lost: z.number().int().optional(),
  /** How many of the last ones in a row ended with the host's time. */
  timeouts: z.number().int().optional(),
  divergence: divergenceSchema.optional(),
});
export type Trouble = z.infer<typeof troubleSchema>;

export const runSummarySchema = z.strictObject({
  id: runIdSchema,
  workflow: z.string(),
  version: z.string(),
  status: runStatusSchema,
  reference: z.string().optional(),
  parent: runIdSchema.optional(),
  /** The schedule that started it. */
  schedule: scheduleIdSchema.optional(),
  createdAt: instantSchema,
  endedAt: instantSchema.optional(),
});
export type RunSummary = z.infer<typeof runSummarySchema>;

export const runSchema = runSummarySchema.extend({
  input: jsonSchema.optional(),
  output: jsonSchema.optional(),
  error: wireErrorSchema.optional(),
  /** The key of the task whose failure ended the run. */
  failedTask: z.string().optional(),
  reason: z.string().optional(),
  runAttempt: z.number().int(),
  records: z.number().int(),
  nextAt: instantSchema.optional(),
  waitsFor: z.array(openWaitSchema),
  trouble: troubleSchema.optional(),
});
export type Run = z.infer<typeof runSchema>;

/** 201, or 200 with `existing` when this id or reference already had this run. */
export const startRunResultSchema = z.strictObject({ run: runSummarySchema, existing: z.boolean() });
export type StartRunResult = z.infer<typeof startRunResultSchema>;

export const startRunsBodySchema = z.strictObject({
  /** Each as the body of `POST /v1/runs`. One that is wrong is answered for itself, and the others start. */
  runs: z
    .array(z.union([startRunBodySchema, z.unknown()]))
    .min(1)
    .max(LIMITS.batchRuns),
});
/** In the order given. */
export const startRunsResultSchema = z.strictObject({
  outcomes: z.array(
    z.discriminatedUnion("outcome", [
      z.strictObject({ outcome: z.enum(["created", "existing"]), run: runSummarySchema }),
      z.strictObject({ outcome: z.literal("error"), error: apiErrorSchema.shape.error }),
    ]),
  ),
});
export type StartRunsResult = z.infer<typeof startRunsResultSchema>;

/** `next` goes into `cursor` to read on. It is there, too, when fewer runs than asked for were found among many. */
export const runPageSchema = z.strictObject({ runs: z.array(runSummarySchema), next: z.string().optional() });
export type RunPage = z.infer<typeof runPageSchema>;

export const listRunsQuerySchema = z.strictObject({
  status: z.string().optional(),
  workflow: nameSchema.optional(),
  version: versionSchema.optional(),
  reference: referenceIdSchema.optional(),
  parent: runIdSchema.optional(),
  schedule: scheduleIdSchema.optional(),
  createdAfter: z.coerce.number().int().optional(),
  createdBefore: z.coerce.number().int().optional(),
  /** How an id begins, with or without `run_`, or a reference id. */
  q: z.string().min(1).max(LIMITS.searchChars).refine(isPlainText, "must be plain text").optional(),
  cursor: z.string().max(LIMITS.cursorChars).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageRows).optional(),
});
export type ListRunsQuery = z.infer<typeof listRunsQuerySchema>;

export const historyPageSchema = z.strictObject({
  records: z.array(z.intersection(recordSchema, z.object({ at: instantSchema }))),
  /** Give as `after` to read on. */
  next: z.number().int().optional(),
});
export type HistoryPage = z.infer<typeof historyPageSchema>;
export const historyQuerySchema = z.strictObject({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.commands).optional(),
});

export const waitQuerySchema = z.strictObject({
  /** Ends the poll when the run is in this status or in any terminal one. */
  status: terminalStatusSchema.optional(),
  timeoutMs: z.coerce.number().int().min(0).max(LIMITS.waitMs).optional(),
});
export const waitResultSchema = z.strictObject({
  /** False: the time ran out and the run goes on. */
  ended: z.boolean(),
  run: runSchema,
});
export type WaitResult = z.infer<typeof waitResultSchema>;

export const cancelBodySchema = z.strictObject({
  id: messageIdSchema.optional(),
  reason: z.string().max(LIMITS.reasonChars).optional(),
});
/** Pause, resume, wakeup, requeue, retry. The same id again is the same request. */
export const controlBodySchema = z.strictObject({ id: messageIdSchema.optional() });

/**
 * Which runs a request to many of them means: as in `GET /v1/runs`. An empty filter means all. `reference` is that of
 * runs that were started from outside; with `parent`, of that run's children.
 */
export const runFilterSchema = z.strictObject({
  status: z.array(runStatusSchema).min(1).optional(),
  workflow: nameSchema.optional(),
  version: versionSchema.optional(),
  reference: referenceIdSchema.optional(),
  parent: runIdSchema.optional(),
  schedule: scheduleIdSchema.optional(),
  createdAfter: instantSchema.optional(),
  createdBefore: instantSchema.optional(),
});
export type BulkFilter = z.infer<typeof runFilterSchema>;

export const bulkBodySchema = z.strictObject({
  /** Made by the client: what a run has got under this id it does not get again. */
  id: messageIdSchema.optional(),
  filter: runFilterSchema,
  /** Where the request before ended. */
  cursor: runIdSchema.optional(),
  /** Most runs that this request reaches. */
  limit: z.number().int().min(1).max(LIMITS.bulkRuns).optional(),
});
export const bulkCancelBodySchema = bulkBodySchema.extend({
  reason: z.string().max(LIMITS.reasonChars).optional(),
});
export type BulkBody = z.infer<typeof bulkCancelBodySchema>;
export const bulkResultSchema = z.strictObject({
  /** Runs that were told. */
  sent: z.number().int(),
  /** Runs that had been told by an earlier request under the same id. */
  duplicate: z.number().int(),
  /** There may be more: give as `cursor` to go on. */
  next: runIdSchema.optional(),
});
export type BulkResult = z.infer<typeof bulkResultSchema>;

export const sendEventBodySchema = z.strictObject({
  /** Made by the client: the same id again is the same event. */
  id: messageIdSchema.optional(),
  name: nameSchema,
  data: jsonSchema.optional(),
  /** A second send with this reference to the same run and event name is a no-op. */
  reference: referenceIdSchema.optional(),
});
export type SendEventBody = z.infer<typeof sendEventBodySchema>;
export const sendEventResultSchema = z.strictObject({ duplicate: z.boolean() });

export const multicastBodySchema = sendEventBodySchema.extend({
  workflow: nameSchema.optional(),
  version: versionSchema.optional(),
  runs: z
    .array(z.union([z.strictObject({ id: runIdSchema }), z.strictObject({ reference: referenceIdSchema })]))
    .min(1)
    .max(LIMITS.batchRuns),
});
export type MulticastBody = z.infer<typeof multicastBodySchema>;
export const multicastResultSchema = z.strictObject({
  outcomes: z.array(
    z.strictObject({
      id: runIdSchema.optional(),
      reference: z.string().optional(),
      outcome: z.enum(["sent", "duplicate", "ended", "not_found", "too_many_queued", "schema_invalid"]),
    }),
  ),
});
export type MulticastResult = z.infer<typeof multicastResultSchema>;

export const registerEndpointBodySchema = z.strictObject({
  url: z.url().max(LIMITS.urlChars),
  name: nameSchema.optional(),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/), z.string().max(LIMITS.headerChars))
    .refine((headers) => Object.keys(headers).length <= LIMITS.endpointHeaders, "has too many headers")
    .optional(),
  maxDurationMs: z.number().int().min(1_000).max(LIMITS.invocationMs).optional(),
  concurrency: z.number().int().min(1).max(LIMITS.endpointConcurrency).optional(),
  contentType: z.enum(["application/vnd.aiki.v1+json", "application/json"]).optional(),
  signatureHeader: z.enum(["authorization", "aiki-signature"]).optional(),
  takeOver: z.boolean().optional(),
  /** Replays runs in flight first, and refuses with `WOULD_DIVERGE` when one of them would stop. */
  check: z.boolean().optional(),
});
export type RegisterEndpointBody = z.infer<typeof registerEndpointBodySchema>;

export const checkEndpointBodySchema = registerEndpointBodySchema
  .pick({ url: true, name: true, headers: true, concurrency: true, contentType: true, signatureHeader: true })
  .extend({
    /** How many runs are replayed. Default 400. */
    sample: z.number().int().min(1).max(LIMITS.checkedRuns).optional(),
  });
export type CheckEndpointBody = z.infer<typeof checkEndpointBodySchema>;

/**
 * Runs of one version that meet the same fate.
 * `diverges`: stops at a new call, because history holds what was not asked for.
 * `unasked`: the same, as soon as it makes a new call; up to now it has made none.
 * `fails`: the handler throws before it has asked for what is recorded.
 * `unserved`: the endpoint serves the version today and this code does not list it. All runs in flight are counted.
 * `too_large`: not checked, because its input and history do not fit into one push.
 * `unanswered`: not checked, because the replay brought no verdict.
 */
export const checkFindingSchema = z.strictObject({
  outcome: z.enum(["diverges", "unasked", "fails", "unserved", "too_large", "unanswered"]),
  workflow: z.string(),
  version: z.string(),
  runs: z.number().int(),
  /** One of them; absent for `unserved`. */
  example: runIdSchema.optional(),
  /** That run's. */
  divergence: divergenceSchema.optional(),
  /** What the handler threw, or why there was no verdict. */
  reason: z.string().optional(),
  /** All of it in a sentence or two. */
  message: z.string(),
});
export type CheckFinding = z.infer<typeof checkFindingSchema>;

export const checkResultSchema = z.strictObject({
  url: z.string(),
  sdk: z.string(),
  /** False when a run would stop, fail or have nobody to serve it, or when a replay brought no verdict. */
  ok: z.boolean(),
  /** Versions that the code lists, with their runs in flight and how many of these were replayed to a verdict. */
  versions: z.array(
    z.strictObject({ name: z.string(), version: z.string(), live: z.number().int(), checked: z.number().int() }),
  ),
  findings: z.array(checkFindingSchema),
  elapsedMs: z.number().int(),
});
export type CheckResult = z.infer<typeof checkResultSchema>;

export const endpointSchema = z.strictObject({
  id: endpointIdSchema,
  name: z.string(),
  url: z.string(),
  status: z.enum(["healthy", "unhealthy", "draining"]),
  workflows: z.array(z.strictObject({ name: z.string(), version: z.string() })),
  sdk: z.string(),
  maxDurationMs: z.number().int(),
  /** How long it may go on in the background with what it has answered with 202. */
  backgroundMs: z.number().int().optional(),
  concurrency: z.number().int(),
  headerNames: z.array(z.string()),
  createdAt: instantSchema,
  describedAt: instantSchema,
  trouble: z.strictObject({ code: z.string(), message: z.string(), at: instantSchema }).optional(),
  manifest: manifestSchema.optional(),
});
export type Endpoint = z.infer<typeof endpointSchema>;
export const endpointListSchema = z.strictObject({ endpoints: z.array(endpointSchema) });

export const workflowListSchema = z.strictObject({
  workflows: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      endpoint: z.string().optional(),
      /** Workers that have asked this orchestrator for its runs within the last minute. */
      workers: z.number().int(),
      events: z.array(z.string()),
      /** Runs that have not ended. */
      live: z.number().int(),
      /** Runs of it that wait because nobody serves it, counted up to `LIMITS.countedRuns`. */
      waiting: z.number().int(),
    }),
  ),
});
export type WorkflowList = z.infer<typeof workflowListSchema>;

/** One version: what it takes, gives and receives, as far as its endpoint says. */
export const workflowDetailSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  endpoint: z.string().optional(),
  workers: z.number().int(),
  live: z.number().int(),
  waiting: z.number().int(),
  input: jsonSchemaDocument.optional(),
  output: jsonSchemaDocument.optional(),
  events: z.array(z.strictObject({ name: z.string(), schema: jsonSchemaDocument.optional() })),
});
export type WorkflowDetail = z.infer<typeof workflowDetailSchema>;

export const createKeyBodySchema = z.strictObject({
  name: nameSchema.optional(),
  namespace: namespaceSchema.optional(),
  scope: z.enum(["read", "write", "admin"]).optional(),
  expiresAt: instantSchema.optional(),
});
export type CreateKeyBody = z.infer<typeof createKeyBodySchema>;
export const apiKeySchema = z.strictObject({
  id: keyIdSchema,
  name: z.string().optional(),
  namespace: z.string(),
  scope: z.enum(["read", "write", "admin"]),
  createdAt: instantSchema,
  expiresAt: instantSchema.optional(),
  revokedAt: instantSchema.optional(),
});
export type ApiKey = z.infer<typeof apiKeySchema>;
export const createdKeySchema = z.strictObject({
  key: apiKeySchema,
  /** Shown once; only its hash is kept. */
  secret: z.string(),
});
export type CreatedKey = z.infer<typeof createdKeySchema>;
export const keyListSchema = z.strictObject({ keys: z.array(apiKeySchema) });
