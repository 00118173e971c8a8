import { LIMITS } from "@aikirun/protocol";
import { expect, it, vi } from "vitest";
import { event, eventStream } from "../../src/api/event-stream.js";

async function* endless(signal: AbortSignal): AsyncGenerator<string | undefined> {
  while (!signal.aborted) {
    yield event("tick", 1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
const following = { signal: new AbortController().signal, allowed: async () => true };

it("serves so many streams and no more, until one of them is closed", async () => {
  const open = Array.from({ length: LIMITS.streams }, () => eventStream(endless, following));
  expect(() => eventStream(endless, following)).toThrow("1000 streams are read");
  await open.pop()?.body?.cancel();
  open.push(eventStream(endless, following));
  expect(() => eventStream(endless, following)).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
  await Promise.all(open.map((response) => response.body?.cancel()));
});

it("says now and then that it is still there, and asks whether its reader still may read", async () => {
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  try {
    let asked = 0;
    const allowed = async () => ++asked < 3;
    const quiet = async function* () {
      for (;;) {
        now += 1_000;
        yield undefined;
      }
    };
    const text = await eventStream(quiet, { ...following, allowed }).text();
    expect(text).toBe("retry: 2000\n\n: still here\n\n: still here\n\n");
    expect(now).toBe(3 * 16_000);
  } finally {
    clock.mockRestore();
  }
});

it("ends when what it follows fails, or the server stops", async () => {
  const failing = eventStream(async function* () {
    yield event("tick", 1, 7);
    throw new Error("away");
  }, following);
  const reader = failing.body?.getReader();
  const decoder = new TextDecoder();
  expect(decoder.decode((await reader?.read())?.value)).toBe("retry: 2000\n\n");
  expect(decoder.decode((await reader?.read())?.value)).toBe("id: 7\nevent: tick\ndata: 1\n\n");
  await expect(reader?.read()).rejects.toThrow("away");
  const stopping = new AbortController();
  const served = eventStream(endless, { ...following, signal: stopping.signal });
  setTimeout(() => stopping.abort(), 20);
  expect(await served.text()).toMatch(/^retry: 2000\n\n(event: tick\ndata: 1\n\n)+$/);
});
