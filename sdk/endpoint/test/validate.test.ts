import type { Manifest } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol";
import { event, type StandardSchemaV1, workflow } from "@aikirun/workflow";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { endpoint } from "../src/index.js";
import { type Answer, describePush, type Push, type SigningKey, signedPush, signingKey } from "./orchestrator.js";
import { silent } from "./probes.js";

const URL_ = "http://app.test/api/aiki";
let key: SigningKey;
beforeAll(async () => {
  key = await signingKey("Ed25519");
});

const throwing: StandardSchemaV1<string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate() {
      throw new RangeError("out of order");
    },
  },
};
const handler = async () => {};
const orders = workflow({ name: "orders" });
const workflows = [
  orders.v("1", {
    handler,
    schema: { input: z.object({ cents: z.coerce.number().refine(async (cents) => cents > 0, "must be positive") }) },
    events: { paid: event({ schema: z.object({ at: z.coerce.date() }) }), poked: event() },
  }),
  orders.v("2", { handler }),
  orders.v("3", { handler, schema: { input: throwing } }),
  orders.v("4", {
    handler,
    schema: { input: toStandardJsonSchema(v.object({ at: v.date(), id: v.string() })) },
    events: { moved: event({ schema: type({ to: "Date", by: "string" }) }) },
  }),
];

async function ask(push: Push, claims: Record<string, unknown> = {}) {
  const { headers, body } = await signedPush(key, URL_, push, claims);
  const request = new Request(URL_, {
    method: "POST",
    headers: { ...headers, host: "app.test" },
    body: body as string,
  });
  const response = await endpoint({ workflows, publicKeys: key.text, logger: silent })(request);
  return { status: response.status, json: (await response.json()) as Answer };
}

function validatePush(over: Record<string, unknown>): Push {
  return {
    type: "validate",
    pushId: newId("push"),
    endpointId: newId("ep"),
    workflow: "orders",
    version: "1",
    ...over,
  };
}

describe("validate", () => {
  it.each<[what: string, over: Record<string, unknown>, issues: unknown]>([
    ["an input that fits", { value: { cents: "7" } }, undefined],
    ["an input that does not", { value: { cents: -7 } }, ["cents: must be positive"]],
    ["no input", {}, [expect.stringMatching(/expected object/)]],
    ["an event's data that fits", { event: "paid", value: { at: "2026-11-25" } }, undefined],
    ["an event's data that does not", { event: "paid", value: { at: "never" } }, [expect.stringMatching(/^at: /)]],
    ["an event without a schema", { event: "poked", value: 1 }, undefined],
    ["an event that is not declared", { event: "constructor", value: 1 }, undefined],
    ["a version without a schema", { version: "2", value: 1 }, undefined],
    ["a schema that throws", { version: "3", value: 1 }, ["the schema threw RangeError: out of order"]],
  ])("answers for %s", async (_what, over, issues) => {
    const push = validatePush(over);
    const { status, json } = await ask(push);
    expect(status).toBe(200);
    expect(json).toEqual({ pushId: push.pushId, fits: issues === undefined, ...(issues !== undefined && { issues }) });
  });

  it("says that a version is not served, and believes no token of another endpoint", async () => {
    expect((await ask(validatePush({ version: "9" }))).json.error?.code).toBe("WORKFLOW_NOT_SERVED");
    expect((await ask(validatePush({}), { sub: newId("ep") })).status).toBe(401);
  });
});

it("describes what each library can say, and leaves open what it cannot", async () => {
  const { json } = await ask(describePush());
  const manifest = json["manifest"] as Manifest;
  const documents = manifest.workflows.map(({ input, events }) => [input, events.map(({ schema }) => schema)]);
  expect(documents).toMatchObject([
    [
      { type: "object", properties: { cents: { type: "number" } } },
      [{ type: "object", properties: { at: {} }, required: ["at"] }, undefined],
    ],
    [undefined, []],
    [undefined, []],
    [
      { properties: { at: {}, id: { type: "string" } }, required: ["at", "id"] },
      [{ properties: { to: {}, by: { type: "string" } } }],
    ],
  ]);
});
