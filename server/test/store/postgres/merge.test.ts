import { expect, it } from "vitest";
import { Merge, type Touched } from "../../../src/store/postgres/merge.js";

interface Call extends Touched {
  readonly name: string;
}

function call(name: string, own: readonly string[] = [name], shared: readonly string[] = []): Call {
  return { name, own, shared };
}

class Poisoned extends Error {}

/** A merge whose statements are answered one by one, by hand. */
function merging(maxCalls = 256) {
  const batches: string[][] = [];
  const answers: (() => void)[] = [];
  const merge = new Merge<Call, string>({
    maxCalls,
    touched: (one) => one,
    run: (calls) => {
      batches.push(calls.map(({ name }) => name));
      return new Promise((resolve, reject) => {
        answers.push(() => {
          if (calls.some(({ name }) => name.startsWith("lost"))) reject(new Error("lost"));
          else if (calls.some(({ name }) => name.startsWith("bad"))) reject(new Poisoned("bad"));
          else resolve(calls.map(({ name }) => `did ${name}`));
        });
      });
    },
    isPoisoned: (error) => error instanceof Poisoned,
  });
  const answerAll = async () => {
    for (let i = 0; i < 50; i++) {
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      answers.shift()?.();
    }
  };
  return { merge, batches, answerAll };
}

it("sends a lone call in the same tick, and what comes meanwhile together", async () => {
  const { merge, batches, answerAll } = merging();
  const first = merge.add(call("a"));
  await Promise.resolve();
  expect(batches).toEqual([["a"]]);
  const rest = [merge.add(call("b")), merge.add(call("c"))];
  await Promise.resolve();
  expect(batches).toEqual([["a"]]);
  await answerAll();
  expect(await Promise.all([first, ...rest])).toEqual(["did a", "did b", "did c"]);
  expect(batches).toEqual([["a"], ["b", "c"]]);
});

it("sends together what is asked for in one tick, up to the limit", async () => {
  const { merge, batches, answerAll } = merging(2);
  const all = Promise.all(["a", "b", "c", "d", "e"].map((name) => merge.add(call(name))));
  await answerAll();
  await all;
  expect(batches).toEqual([["a", "b"], ["c", "d"], ["e"]]);
});

it("changes a row once in a statement: own keys are nobody else's, shared ones nobody's own", async () => {
  const { merge, batches, answerAll } = merging();
  const all = Promise.all([
    merge.add(call("child 1 ends", ["c1"], ["parent"])),
    merge.add(call("child 2 ends", ["c2"], ["parent"])),
    merge.add(call("parent parks", ["parent"])),
    merge.add(call("child 3 ends", ["c3"], ["parent"])),
    merge.add(call("another", ["x"])),
  ]);
  await answerAll();
  await all;
  expect(batches).toEqual([["child 1 ends", "child 2 ends", "another"], ["parent parks"], ["child 3 ends"]]);
});

it("lets nobody overtake a call that touches the same", async () => {
  const { merge, batches, answerAll } = merging();
  const all = Promise.all([
    merge.add(call("1", ["a"])),
    merge.add(call("2", ["a", "b"])),
    merge.add(call("3", ["b"])),
    merge.add(call("4", ["c"])),
  ]);
  await answerAll();
  await all;
  expect(batches).toEqual([["1", "4"], ["2"], ["3"]]);
});

it("finds the bad call among many, and spares the others", async () => {
  const { merge, batches, answerAll } = merging();
  const names = Array.from({ length: 16 }, (_, i) => (i === 11 ? "bad" : `${i}`));
  const all = Promise.allSettled(names.map((name) => merge.add(call(name))));
  await answerAll();
  const results = await all;
  expect(results.map(({ status }) => status)).toEqual(names.map((name) => (name === "bad" ? "rejected" : "fulfilled")));
  expect(batches.length).toBeLessThanOrEqual(9);
});

it("fails all of a batch whose outcome is unknown, and goes on", async () => {
  const { merge, answerAll } = merging();
  const lost = Promise.allSettled([merge.add(call("lost")), merge.add(call("b"))]);
  await Promise.resolve();
  const next = merge.add(call("c"));
  await answerAll();
  expect((await lost).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await next).toBe("did c");
});
