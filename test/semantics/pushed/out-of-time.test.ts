import { expect, it, onTestFinished } from "vitest";
import { hanging, seen } from "../failing.js";
import { pushed } from "../pushed.js";
import { stage } from "../stage.js";

/** What the app's host allows; the SDK ends tasks at half of so little. */
const INVOCATION_MS = 2_000;

it("a task in flight is aborted when the host's time runs out, which is a failed attempt", async () => {
  const { aiki, access, app, close } = await stage([hanging]);
  onTestFinished(close);
  await app.stop();
  const hasty = await pushed(access, { maxDuration: { milliseconds: INVOCATION_MS } });
  onTestFinished(() => hasty.stop());
  hasty.replace([hanging]);
  await aiki.registerEndpoint({ url: hasty.url, takeOver: true });
  const handle = await hanging.start(aiki, {});
  expect(await handle.waitForStatus("failed")).toMatchObject({
    state: { error: { code: "TASK_FAILED", cause: { code: "OUT_OF_TIME" } } },
  });
  expect(seen.get(`${handle.id} begun`)).toEqual([1]);
  expect(seen.get(`${handle.id} aborted`)).toEqual(["OUT_OF_TIME"]);
});
