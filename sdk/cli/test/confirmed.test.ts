import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { confirmed } from "../src/many-runs.js";

test.each([
  ["y\n", true],
  ["YES\n", true],
  ["\n", false],
  ["n\n", false],
  ["yep\n", false],
])("the answer %j to a question", async (answer, expected) => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const asked = confirmed("Cancel 37 runs? [y/N] ", input, output);
  input.write(answer);
  expect(await asked).toBe(expected);
  expect(String(output.read())).toContain("Cancel 37 runs? [y/N]");
});
