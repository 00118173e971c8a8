/**
 * `aiki start` with the fence taken out of every commit, so that a test can show that it would notice. Nothing in the
 * product can be told to do this: the statements are altered in memory before they are sent for the first time.
 */
import { commitMany } from "../../server/dist/store/postgres/commit-many.js";
import { commitOne, endOne } from "../../server/dist/store/postgres/commit-one.js";

function take(statement: { text: string }, fence: string, instead: string): void {
  if (!statement.text.includes(fence)) throw new Error(`The statement has no ${JSON.stringify(fence)} any more.`);
  statement.text = statement.text.replace(fence, instead);
}

const FENCE_ONE = "AND epoch = $3::int AND gen = $4::int AND seq = $5::int AND lease_until IS NOT NULL";
const FENCE_MANY = "WHERE l.epoch = i.epoch AND l.gen = i.gen AND l.seq = i.seq AND l.lease_until IS NOT NULL";

// Their parameters stay, so that everything else about the statements is as it was.
const NO_FENCE_ONE = "AND $3::int + $4::int + $5::int IS NOT NULL";
take(commitOne, FENCE_ONE, NO_FENCE_ONE);
take(endOne, FENCE_ONE, NO_FENCE_ONE);
take(commitMany, FENCE_MANY, "WHERE true");

await import("../../sdk/cli/dist/bin.js");
