/** The push protocol, version 1: what the orchestrator POSTs to an endpoint, and what the endpoint answers. */
import * as z from "zod";
import { checkpointAccessSchema } from "./checkpoint.js";
import { commandsSchema } from "./commands.js";
import { historySliceSchema, recordSchema } from "./history.js";
import { LIMITS } from "./limits.js";
import {
  endpointIdSchema,
  fenceSchema,
  instantSchema,
  jsonSchema,
  nameSchema,
  pushIdSchema,
  retryPolicySchema,
  runIdSchema,
  timeLimitMsSchema,
  versionSchema,
  wireErrorSchema,
} from "./values.js";

export const PROTOCOL_VERSION = 1;
/** Media type of a push: ordinary JSON body parsers leave it alone, so that the raw bytes survive. */
export const PUSH_CONTENT_TYPE = "application/vnd.aiki.v1+json";
export const PROTOCOL_HEADER = "aiki-protocol";
export const MANIFEST_HEADER = "aiki-manifest";
/** Where the token travels when a proxy owns `Authorization`. */
export const SIGNATURE_HEADER = "aiki-signature";

const pushedRunSchema = z.strictObject({
  id: runIdSchema,
  workflow: nameSchema,
  version: versionSchema,
  input: jsonSchema.optional(),
  /** 1 for the first attempt of the workflow, one more after each workflow retry. */
  runAttempt: z.number().int().min(1),
  createdAt: instantSchema,
  /** What it was started with. `retry` comes before the version's own policy. */
  options: z.strictObject({
    retry: retryPolicySchema.optional(),
    timeoutMs: z.number().int().min(0).optional(),
    reference: z.string().optional(),
    pool: z.string().optional(),
  }),
});
export type PushedRun = z.infer<typeof pushedRunSchema>;

export const executeRequestSchema = z.strictObject({
  type: z.literal("execute"),
  pushId: pushIdSchema,
  fence: fenceSchema,
  run: pushedRunSchema,
  history: historySliceSchema,
  /** Milliseconds that this invocation may last, from its arrival. */
  budgetMs: z.number().int().min(1),
  checkpoint: checkpointAccessSchema.optional(),
});
export type ExecuteRequest = z.infer<typeof executeRequestSchema>;

export const replayRequestSchema = z.strictObject({
  type: z.literal("replay"),
  pushId: pushIdSchema,
  run: pushedRunSchema,
  history: z.union([
    z.strictObject({ records: z.array(recordSchema) }),
    /** Longer than a push: records up to `upTo`, to be read with a token that is good for nothing else. */
    z.strictObject({ url: z.url().max(LIMITS.urlChars), token: z.string(), upTo: z.number().int().min(1) }),
  ]),
});
export type ReplayRequest = z.infer<typeof replayRequestSchema>;

export const describeRequestSchema = z.strictObject({
  type: z.literal("describe"),
  pushId: pushIdSchema,
  endpointId: endpointIdSchema,
  nonce: z.string().min(16).max(128),
});
export type DescribeRequest = z.infer<typeof describeRequestSchema>;

/** Asks for the last word on a value that does not seem to fit: an input, or with `event` the data of one. */
export const validateRequestSchema = z.strictObject({
  type: z.literal("validate"),
  pushId: pushIdSchema,
  endpointId: endpointIdSchema,
  workflow: nameSchema,
  version: versionSchema,
  event: nameSchema.optional(),
  value: jsonSchema.optional(),
});
export type ValidateRequest = z.infer<typeof validateRequestSchema>;

export const pushRequestSchema = z.discriminatedUnion("type", [
  executeRequestSchema,
  replayRequestSchema,
  describeRequestSchema,
  validateRequestSchema,
]);
export type PushRequest = z.infer<typeof pushRequestSchema>;

/** Answer to `execute`. `seq` is the last sequence that the endpoint saw acknowledged. */
export const executeAnswerSchema = z.strictObject({
  runId: runIdSchema,
  pushId: pushIdSchema,
  epoch: z.number().int().min(0),
  gen: z.number().int().min(0),
  seq: z.number().int().min(0),
  /** `waiting`: all that the handler awaits is durable and open, or it has ended. `more`: push again after the commit. */
  state: z.enum(["waiting", "more"]),
  commands: commandsSchema,
  /** True when the endpoint keeps this history and accepts a cursor next time. */
  keeps: z.boolean().optional(),
});
export type ExecuteAnswer = z.infer<typeof executeAnswerSchema>;

/** What a call that did not match and the entries that nothing asked for look like to a person. */
export const divergenceSchema = z.strictObject({
  leftover: z.array(z.string().max(2_000)).max(100),
  asked: z.array(z.string().max(2_000)).max(100),
});
export type Divergence = z.infer<typeof divergenceSchema>;

/**
 * `fits: false`: the handler asked for something new while history holds what it did not ask for. When it has asked for
 * nothing new, it either threw (`thrown`), or the run stops as soon as it does ask.
 */
export const replayAnswerSchema = z.discriminatedUnion("fits", [
  z.strictObject({ fits: z.literal(true) }),
  z.strictObject({
    fits: z.literal(false),
    divergence: divergenceSchema,
    /** The same text for runs that diverge at the same call, whatever its input. */
    alike: z.string().max(2_000),
    thrown: wireErrorSchema.optional(),
  }),
]);
export type ReplayAnswer = z.infer<typeof replayAnswerSchema>;

/** Each issue begins with its path, where it has one. */
export const validateAnswerSchema = z.discriminatedUnion("fits", [
  z.strictObject({ pushId: pushIdSchema, fits: z.literal(true) }),
  z.strictObject({ pushId: pushIdSchema, fits: z.literal(false), issues: z.array(z.string().max(1_000)).max(10) }),
]);
export type ValidateAnswer = z.infer<typeof validateAnswerSchema>;

/** A JSON Schema, draft 2020-12. */
export const jsonSchemaDocument = z.record(z.string(), jsonSchema);
export const manifestSchema = z.strictObject({
  protocol: z.strictObject({ min: z.number().int(), max: z.number().int() }),
  sdk: z.strictObject({ name: z.string().max(100), version: z.string().max(100) }),
  capabilities: z.strictObject({
    inlineCheckpoints: z.boolean(),
    streaming: z.boolean(),
    batch: z.boolean(),
    /** Longest time one invocation may last. */
    maxDurationMs: z.number().int().min(1_000),
    /** How long it may go on with a push that it has answered with 202. Absent: it does not do that. */
    backgroundMs: z.number().int().min(1_000).max(LIMITS.callbackMs).optional(),
  }),
  workflows: z
    .array(
      z.strictObject({
        name: nameSchema,
        version: versionSchema,
        events: z.array(z.strictObject({ name: nameSchema, schema: jsonSchemaDocument.optional() })),
        /** How long a run of it may take that was started without a limit of its own. */
        timeoutMs: timeLimitMsSchema.optional(),
        input: jsonSchemaDocument.optional(),
        output: jsonSchemaDocument.optional(),
      }),
    )
    .max(LIMITS.manifestWorkflows),
});
export type Manifest = z.infer<typeof manifestSchema>;

export const describeAnswerSchema = z.strictObject({
  nonce: z.string(),
  pushId: pushIdSchema,
  manifest: manifestSchema,
});
export type DescribeAnswer = z.infer<typeof describeAnswerSchema>;

/** An endpoint's refusal or error; also inside a 200 once white space was sent. */
export const errorAnswerSchema = z.object({
  error: z.object({
    code: z.string().max(100),
    message: z.string(),
    httpStatus: z.number().int().optional(),
    divergence: divergenceSchema.optional(),
  }),
});
export type ErrorAnswer = z.infer<typeof errorAnswerSchema>;

export const PUSH_TOKEN_TYPE = "aiki-push+jwt";
/** Claims of the token that signs a push (RFC 7519; `typ` per RFC 8725 section 3.11). */
export const pushClaimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  ns: z.string(),
  /** Run id, or endpoint id for `describe`. */
  sub: z.string(),
  /** Push id. */
  jti: z.string(),
  iat: z.number().int().positive(),
  nbf: z.number().int().positive(),
  exp: z.number().int().positive(),
  htm: z.literal("POST"),
  /** base64url SHA-256 of the raw body. */
  bsh: z.string(),
  epoch: z.number().int().min(0),
  gen: z.number().int().min(0),
  seq: z.number().int().min(0),
  pv: z.number().int(),
});
export type PushClaims = z.infer<typeof pushClaimsSchema>;
/** Seconds that a push token lives, and the clock difference tolerated either way. */
export const PUSH_TOKEN_LIFETIME_S = 120;
export const CLOCK_TOLERANCE_S = 60;
