import { runStatusSchema } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { type Reason, TRANSITIONS } from "../../src/core/status.js";

/**
 * Written apart from the table, row by row: what may follow. `-` cannot happen.
 * Columns: start enqueue schedule claim release keep suspend unserved pause stall complete fail cancel retry.
 */
const COLUMNS =
  "start enqueue schedule claim release keep suspend unserved pause stall complete fail cancel retry".split(
    " ",
  ) as Reason[];
const EXPECTED = `
none      | running queued scheduled - - - - - - - - - - -
scheduled | - - scheduled scheduled scheduled running - - paused - - failed cancelled -
queued    | - - - running - - - - - - - - - -
suspended | - - - running - - - - - - - - - -
running   | - - - running queued running suspended queued paused stalled completed failed cancelled -
paused    | - - scheduled paused paused running suspended - paused stalled - failed cancelled -
stalled   | - - - stalled stalled running suspended - paused stalled - failed cancelled -
completed | - - - - - - - - - - - - - -
failed    | - - - - - - - - - - - - - queued
cancelled | - - - - - - - - - - - - - -
`;

describe("the status table", () => {
  const rows = EXPECTED.trim()
    .split("\n")
    .map((line) => line.split("|").map((part) => part.trim()));

  it("has a row for every status", () => {
    expect(rows.map(([from]) => from).sort()).toEqual(["none", ...runStatusSchema.options].sort());
    expect(Object.keys(TRANSITIONS).sort()).toEqual(rows.map(([from]) => from).sort());
  });

  for (const [from = "", cells = ""] of rows) {
    for (const [i, cell] of cells.split(" ").entries()) {
      const reason = COLUMNS[i] as Reason;
      it(`${from} --${reason}--> ${cell}`, () => {
        expect(TRANSITIONS[from as keyof typeof TRANSITIONS][reason] ?? "-").toBe(cell);
      });
    }
  }
});
