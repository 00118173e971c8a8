/**
 * `aiki start` with the fence taken out of every commit, so that a test can show that it would notice. Nothing in the
 * product can be told to do this: the statements are altered in memory before they are sent for the first time.
 */
import * as ofMany from "../../server/dist/store/postgres/commit-many.js";
import * as ofOne from "../../server/dist/store/postgres/commit-one.js";

function take(statements: Readonly<Record<string, unknown>>, fence: string, instead: string): void {
  for (const [name, statement] of Object.entries(statements)) {
    if (!isStatement(statement)) continue;
    if (!statement.text.includes(fence)) throw new Error(`${name} has no ${JSON.stringify(fence)} any more.`);
    statement.text = statement.text.replace(fence, instead);
  }
}

function isStatement(exported: unknown): exported is { text: string } {
  return typeof (exported as { text?: unknown }).text === "string";
}

const FENCE_ONE = "AND epoch = $3::int AND gen = $4::int AND seq = $5::int AND lease_until IS NOT NULL";
const FENCE_MANY = "WHERE l.epoch = i.epoch AND l.gen = i.gen AND l.seq = i.seq AND l.lease_until IS NOT NULL";

// Their parameters stay, so that everything else about the statements is as it was.
const NO_FENCE_ONE = "AND $3::int + $4::int + $5::int IS NOT NULL";
take(ofOne, FENCE_ONE, NO_FENCE_ONE);
take(ofMany, FENCE_MANY, "WHERE true");

await import("../../sdk/cli/dist/bin.js");
