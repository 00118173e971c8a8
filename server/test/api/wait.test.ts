import { newId, type Run } from "@aikirun/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Services } from "../../src/api/services.js";
import { waitForEnd } from "../../src/api/wait.js";
import { Hub } from "../../src/dispatch/hub.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("a wait hears of an end at once, also while the run is still in the hands that ended it", async () => {
  const id = newId("run");
  const hub = new Hub();
  let status = "suspended";
  let held = false;
  const services = {
    store: { getRun: async () => ({ id, status }) as Run },
    dispatcher: { hub, holds: () => held },
  } as unknown as Services;
  const waiting = waitForEnd(services, "default", id, 60_000, new AbortController().signal);
  await Promise.resolve();
  held = true;
  status = "completed";
  hub.notify("default", id, true);
  // No timer runs: only the bell can end the wait.
  expect(await waiting).toMatchObject({ ended: true, run: { status: "completed" } });
});
