/** The table of edits: runs that one version of the code has recorded go on with another. */
import type { Run } from "@aikirun/protocol";
import { expect, it } from "vitest";
import { children, type Edit, edits, executed, versionOf } from "../changed-code/edits.js";
import { SOON, staged } from "./stage.js";

const code = (which: "before" | "after") => [...edits.map((edit) => versionOf(edit, which)), ...children];
const nameOf = new Map(edits.map((edit) => [versionOf(edit, "before").name, edit.name]));
const ENDS: Readonly<Record<Edit["fate"], Run["status"]>> = {
  fits: "completed",
  diverges: "stalled",
  unasked: "stalled",
  fails: "failed",
};

it("safe edits complete, unsafe ones stop before anything is executed and complete when they are taken back", async () => {
  const { aiki, app } = await staged(code("before"));
  const started = await Promise.all(
    edits.map(async (edit) => {
      const { name, versionId } = versionOf(edit, "before");
      return { edit, id: (await aiki.startRun({ workflow: name, version: versionId })).run.id };
    }),
  );
  /** By edit: where its run stands. */
  const stand = async () => {
    const { runs } = await aiki.listRuns({ limit: 500 });
    const own = runs.filter(({ workflow }) => nameOf.has(workflow));
    return Object.fromEntries(own.map(({ workflow, status }) => [nameOf.get(workflow), status]));
  };
  const all = (status: (edit: Edit) => Run["status"]) =>
    Object.fromEntries(edits.map((edit) => [edit.name, status(edit)]));
  await expect.poll(stand, SOON).toEqual(all(() => "suspended"));
  const before = executed.length;

  await app.serve(code("after"));
  await Promise.all(started.map(({ id }) => aiki.sendEvent(id, { name: "go" })));
  await expect.poll(stand, SOON).toEqual(all(({ fate }) => ENDS[fate]));
  const stalled = started.filter(({ edit }) => ENDS[edit.fate] === "stalled").map(({ id }) => id);
  expect(executed.slice(before).filter(({ runId }) => stalled.includes(runId))).toEqual([]);
  expect((await aiki.getRun(stalled[0] ?? "")).trouble).toMatchObject({
    code: "NON_DETERMINISM",
    message: expect.stringContaining("Nothing was executed."),
  });

  await app.serve(code("before"));
  await Promise.all(stalled.map((id) => aiki.requeueRun(id)));
  await expect.poll(stand, SOON).toEqual(all(({ fate }) => (fate === "fails" ? "failed" : "completed")));
});
