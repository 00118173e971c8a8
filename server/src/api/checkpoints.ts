/**
 * `/v1/checkpoints`: an invocation under way records what it has done, and brings its answer here when it outlives its
 * request. The push's own token instead of an API key.
 */
import {
  AikiError,
  CALLBACK_PATH,
  CALLBACK_WANTED_PATH,
  CHECKPOINT_BATCH,
  CHECKPOINT_HISTORY,
  CHECKPOINT_PATH,
  type CheckpointAnswer,
  type CheckpointBatchAnswer,
  type CheckpointBody,
  type CheckpointClaims,
  callbackBodySchema,
  callbackTakenSchema,
  callbackWantedSchema,
  checkpointAnswerSchema,
  checkpointBatchAnswerSchema,
  checkpointBatchSchema,
  checkpointBodySchema,
  type HeldPush,
  LIMITS,
  pushedHistorySchema,
} from "@aikirun/protocol";
import * as z from "zod";
import { broughtOutcome } from "../dispatch/brought-answer.js";
import { checkCommands } from "./body.js";
import { errorReply, toAikiError } from "./errors.js";
import { runNotFound } from "./mail.js";
import { type Route, route } from "./route.js";
import type { Services } from "./services.js";

export const checkpointRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: CHECKPOINT_PATH,
    scope: "checkpoint",
    summary:
      "Record what an invocation has done so far, and go on. 409 CHECKPOINT_STALE: stop, it is not wanted any more.",
    body: checkpointBodySchema,
    answers: { 200: checkpointAnswerSchema },
    handle: async ({ body, claims }, services) => ({ status: 200, body: await record(claims, body, services) }),
  }),
  route({
    method: "POST",
    path: CHECKPOINT_PATH + CHECKPOINT_BATCH,
    scope: "checkpoint",
    summary: "The same for several invocations, each with its own token and outcome. Authorized by any one of them.",
    body: checkpointBatchSchema,
    answers: { 200: checkpointBatchAnswerSchema },
    async handle({ body: { checkpoints } }, services) {
      const outcomes = await Promise.all(
        checkpoints.map(({ token, body }) => outcomeOf(record(services.checkpoints?.read(token), body, services))),
      );
      return { status: 200, body: { outcomes } };
    },
  }),
  route({
    method: "POST",
    path: CHECKPOINT_PATH + CALLBACK_PATH,
    scope: "checkpoint",
    summary:
      "Bring the answer to a push that was answered with 202. 409 CHECKPOINT_STALE: it is not wanted any more. 503: bring it again.",
    body: callbackBodySchema,
    answers: { 200: callbackTakenSchema },
    async handle({ body, claims }, { dispatcher }) {
      const { push, outcome } = broughtOutcome(body, "An endpoint");
      if (!claims || !speaksOf(claims, push)) throw refused();
      if (body.type === "answer") checkCommands(body.answer.commands);
      const timeoutMs = body.type === "answer" ? body.timeoutMs : undefined;
      const taken = await dispatcher.callback(claims.ns, push, outcome, timeoutMs);
      if (taken === "stale") throw stale(push);
      if (taken === "early") throw early(push);
      return { status: 200, body: { taken: true } };
    },
  }),
  route({
    method: "GET",
    path: CHECKPOINT_PATH + CALLBACK_WANTED_PATH,
    scope: "checkpoint",
    summary: "Whether the run still waits for what comes of the push.",
    answers: { 200: callbackWantedSchema },
    async handle({ claims }, { dispatcher }) {
      if (!claims) throw refused();
      const { ns, sub: runId, jti: pushId, epoch, gen } = claims;
      return { status: 200, body: { wanted: await dispatcher.isWanted(ns, { runId, pushId, epoch, gen }) } };
    },
  }),
  route({
    method: "GET",
    path: CHECKPOINT_PATH + CHECKPOINT_HISTORY,
    scope: "checkpoint",
    summary: "The history of the run that was pushed, when it is too long for a push.",
    query: z.strictObject({ after: z.coerce.number().int().min(0).optional() }),
    answers: { 200: pushedHistorySchema },
    async handle({ query: { after = 0 }, claims }, { store }) {
      if (!claims) throw refused();
      const part = await store.readHistory(claims.ns, claims.sub, after, LIMITS.commands, LIMITS.historyBytes);
      if (!part) throw runNotFound(claims.sub);
      const records = part.records.map(({ at: _, ...record }) => record);
      const next = part.more ? records.at(-1)?.n : undefined;
      return { status: 200, body: { records, ...(next !== undefined && { next }) } };
    },
  }),
];

/** Throws `UNAUTHORIZED`. */
export function checkpointClaims(authorization: string | undefined, { checkpoints }: Services): CheckpointClaims {
  const token = /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
  const claims = token === undefined ? undefined : checkpoints?.read(token);
  if (!claims) throw refused();
  return claims;
}

async function outcomeOf(recording: Promise<CheckpointAnswer>): Promise<CheckpointBatchAnswer["outcomes"][number]> {
  try {
    return { status: 200, answer: await recording };
  } catch (thrown) {
    const error = toAikiError(thrown);
    return { status: errorReply(error).status, error: { code: error.code, message: error.message } };
  }
}

async function record(
  claims: CheckpointClaims | undefined,
  body: CheckpointBody,
  { dispatcher }: Services,
): Promise<CheckpointAnswer> {
  if (!claims || !speaksOf(claims, body)) throw refused();
  checkCommands(body.commands);
  const outcome = await dispatcher.checkpoint(claims.ns, body);
  switch (outcome.type) {
    case "recorded": {
      const { type: _, ...answer } = outcome;
      return answer;
    }
    case "refused":
      throw new AikiError("INVALID_REQUEST", `The checkpoint cannot be recorded: ${outcome.message}`);
    case "stale":
      throw stale(body, ` at sequence ${body.seq}`);
  }
}

function stale({ pushId, runId }: HeldPush, where = ""): AikiError {
  return new AikiError("CHECKPOINT_STALE", `Push ${pushId} of ${runId} is not what the run waits for${where}. Stop.`);
}

/** The answer can be as quick as the 202, which somebody else is writing. */
function early({ pushId, runId }: HeldPush): AikiError {
  const message = `Run ${runId} does not wait for a callback of ${pushId} just now. Bring it again in a moment.`;
  return new AikiError("OVERLOADED", message, { details: { retryAfterMs: 1_000 } });
}

function speaksOf(claims: CheckpointClaims, { runId, pushId, epoch, gen }: HeldPush): boolean {
  return claims.sub === runId && claims.jti === pushId && claims.epoch === epoch && claims.gen === gen;
}

function refused(): AikiError {
  return new AikiError(
    "UNAUTHORIZED",
    "A checkpoint carries the token that came with its push, while that push lasts.",
  );
}
