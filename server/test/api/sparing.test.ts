import { expect, it } from "vitest";
import { Sparing } from "../../src/api/sparing.js";

function slow() {
  let now = 0;
  let asked = 0;
  const state = { takesMs: 10, fails: false };
  const sparing = new Sparing(
    async (key: string) => {
      asked += 1;
      now += state.takesMs;
      if (state.fails) throw new Error("away");
      return `${key}${asked}`;
    },
    () => now,
  );
  const passes = (ms: number) => {
    now += ms;
  };
  return { sparing, state, passes };
}

it("asks anew for what is quick, and gives what took long again for a while", async () => {
  const { sparing, state, passes } = slow();
  expect([await sparing.get("a"), await sparing.get("a")]).toEqual(["a1", "a2"]);
  state.takesMs = 300;
  expect([await sparing.get("a"), await sparing.get("a"), await sparing.get("b")]).toEqual(["a3", "a3", "b4"]);
  passes(5_600);
  expect(await sparing.get("a")).toBe("a3");
  passes(200);
  expect(await sparing.get("a")).toBe("a5");
});

it("shares a question that is under way, and forgets one that failed", async () => {
  const { sparing, state } = slow();
  state.takesMs = 300;
  expect(await Promise.all([sparing.get("a"), sparing.get("a")])).toEqual(["a1", "a1"]);
  state.fails = true;
  await expect(sparing.get("b")).rejects.toThrow("away");
  state.fails = false;
  expect(await sparing.get("b")).toBe("b3");
});
