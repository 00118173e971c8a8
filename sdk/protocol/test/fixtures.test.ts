import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  activateScheduleBodySchema,
  bulkCancelBodySchema,
  callbackBodySchema,
  callbackPromiseSchema,
  callbackWantedSchema,
  canonicalJson,
  checkEndpointBodySchema,
  checkpointAnswerSchema,
  checkpointBodySchema,
  checkpointClaimsSchema,
  childRunId,
  commandsSchema,
  describeAnswerSchema,
  describeRequestSchema,
  entryKey,
  errorAnswerSchema,
  executeAnswerSchema,
  executeRequestSchema,
  inputHash,
  parseEntryKey,
  pushClaimsSchema,
  recordSchema,
  replayAnswerSchema,
  replayRequestSchema,
  runIdSchema,
  scheduledRunId,
  startRunBodySchema,
  startRunsBodySchema,
  validateAnswerSchema,
  validateRequestSchema,
  workAnswerBodySchema,
  workAnswerResultSchema,
  workExtendAnswerSchema,
  workExtendBodySchema,
  workPollAnswerSchema,
  workPollBodySchema,
} from "../src/index.js";

function read<Fixture>(name: string): Fixture {
  return JSON.parse(readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), "utf8"));
}

const values = read<{
  hashes: { value: never; canonical: string; sha256: string }[];
  keys: { kind: "task"; address: string; index: number; key: string }[];
  childRunIds: { parent: string; key: string; id: string }[];
  scheduledRunIds: { schedule: string; at: number; id: string }[];
}>("values");

describe("golden values", () => {
  it.each(values.hashes)("$canonical", ({ value, canonical, sha256 }) => {
    expect(canonicalJson(value)).toBe(canonical);
    expect(inputHash(value)).toBe(sha256);
  });

  it.each(values.keys)("$key", ({ kind, address, index, key }) => {
    expect(entryKey(kind, address, index)).toBe(key);
    expect(parseEntryKey(key)).toEqual({ kind, address, index });
  });

  it.each(values.childRunIds)("$id", ({ parent, key, id }) => {
    expect(childRunId(parent, key)).toBe(id);
    expect(runIdSchema.parse(id)).toBe(id);
  });

  it.each(values.scheduledRunIds)("$id of a schedule", ({ schedule, at, id }) => {
    expect(scheduledRunId(schedule, at)).toBe(id);
    expect(runIdSchema.parse(id)).toBe(id);
  });
});

const schemas = {
  executeRequest: executeRequestSchema,
  executeAnswer: executeAnswerSchema,
  describeRequest: describeRequestSchema,
  describeAnswer: describeAnswerSchema,
  replayRequest: replayRequestSchema,
  replayAnswer: replayAnswerSchema,
  validateRequest: validateRequestSchema,
  validateAnswer: validateAnswerSchema,
  errorAnswer: errorAnswerSchema,
  pushClaims: pushClaimsSchema,
  startRunBody: startRunBodySchema,
  checkEndpointBody: checkEndpointBodySchema,
  startRunsBody: startRunsBodySchema,
  bulkCancelBody: bulkCancelBodySchema,
  activateScheduleBody: activateScheduleBodySchema,
  commands: commandsSchema,
  checkpointBody: checkpointBodySchema,
  checkpointAnswer: checkpointAnswerSchema,
  checkpointClaims: checkpointClaimsSchema,
  callbackPromise: callbackPromiseSchema,
  callbackBody: callbackBodySchema,
  callbackWanted: callbackWantedSchema,
  workPollBody: workPollBodySchema,
  workPollAnswer: workPollAnswerSchema,
  workExtendBody: workExtendBodySchema,
  workExtendAnswer: workExtendAnswerSchema,
  workAnswerBody: workAnswerBodySchema,
  workAnswerResult: workAnswerResultSchema,
};
const messages = read<{
  accepted: { schema: keyof typeof schemas; message: unknown }[];
  refused: { schema: keyof typeof schemas; why: string; path: string; message: unknown }[];
}>("messages");

describe("golden messages", () => {
  it.each(messages.accepted)("$schema is read as it was written", ({ schema, message }) => {
    expect(schemas[schema].parse(message)).toEqual(message);
  });

  it.each(messages.refused)("$schema is refused: $why", ({ schema, path, message }) => {
    const issues = schemas[schema].safeParse(message).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join("."))).toContain(path);
  });
});

describe("golden exchanges", () => {
  const exchanges = read<{ steps: { answer?: { commands: unknown[] }; records: unknown[] }[] }[]>("exchanges");
  it("hold only valid commands and records", () => {
    const steps = exchanges.flatMap((exchange) => exchange.steps);
    expect(steps.length).toBeGreaterThan(10);
    for (const { answer, records } of steps) {
      if (answer) expect(commandsSchema.parse(answer.commands)).toEqual(answer.commands);
      for (const record of records) expect(recordSchema.parse(record)).toEqual(record);
    }
  });
});
