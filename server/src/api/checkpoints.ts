/** `POST /v1/checkpoints`: an invocation under way records what it has done. The push's own token instead of an API key. */
import {
  AikiError,
  CHECKPOINT_PATH,
  type CheckpointClaims,
  checkpointAnswerSchema,
  checkpointBodySchema,
} from "@aikirun/protocol";
import { checkPayload } from "./body.js";
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
    async handle({ body, claims }, { dispatcher }) {
      if (!claims || !speaksOf(claims, body)) throw refused();
      for (const command of body.commands) {
        if (command.type === "task.completed") checkPayload(command.output, `the output of ${command.key}`);
        else if (command.type === "child.start") checkPayload(command.input, `the input of ${command.key}`);
      }
      const outcome = await dispatcher.checkpoint(claims.ns, body);
      switch (outcome.type) {
        case "recorded": {
          const { type: _, ...answer } = outcome;
          return { status: 200, body: answer };
        }
        case "refused":
          throw new AikiError("INVALID_REQUEST", `The checkpoint cannot be recorded: ${outcome.message}`);
        case "stale":
          throw new AikiError(
            "CHECKPOINT_STALE",
            `Push ${body.pushId} of ${body.runId} is not what the run waits for at sequence ${body.seq}. Stop.`,
          );
      }
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

function speaksOf(
  claims: CheckpointClaims,
  body: { runId: string; pushId: string; epoch: number; gen: number },
): boolean {
  const { sub, jti, epoch, gen } = claims;
  return sub === body.runId && jti === body.pushId && epoch === body.epoch && gen === body.gen;
}

function refused(): AikiError {
  return new AikiError(
    "UNAUTHORIZED",
    "A checkpoint carries the token that came with its push, while that push lasts.",
  );
}
