/** What has to run on Workers needs no module of Node, and loads in workerd without `nodejs_compat`. */
import { expect, it, onTestFinished } from "vitest";
import { bundleForWorkers, startWorker } from "../../sdk/endpoint/test/workerd.js";

/** Not `@aikirun/worker`: it is for a process that stays, and a Worker does not. */
const ENTRIES = [
  "@aikirun/protocol",
  "@aikirun/protocol/canonical",
  "@aikirun/protocol/http",
  "@aikirun/workflow",
  "@aikirun/workflow/replay",
  "@aikirun/endpoint",
  "@aikirun/client",
  "@aikirun/hono",
];
const here = new URL(".", import.meta.url);

it.each(ENTRIES)("%s is bundled without a module of Node", async (entry) => {
  const bundled = await bundleForWorkers(`export * from "${entry}"`, here);
  expect(bundled).not.toMatch(/\bfrom\s*["']node:|\brequire\(["']node:|\bimport\(["']node:/);
});

it("a bundle with a module of Node is refused", async () => {
  await expect(bundleForWorkers('export { readFileSync } from "node:fs"', here)).rejects.toThrow("node:fs");
});

it("loads in workerd, and offers there what it offers on Node", async () => {
  const imports = ENTRIES.map((entry, at) => `import * as m${at} from "${entry}";`).join("\n");
  const names = ENTRIES.map((entry, at) => `"${entry}": Object.keys(m${at}).sort()`).join(", ");
  const module = `${imports}\nexport default { fetch: () => Response.json({ ${names} }) };`;
  const { origin, close } = await startWorker({ script: await bundleForWorkers(module, here), bindings: {} });
  onTestFinished(close);
  const offered = (await (await fetch(origin)).json()) as Record<string, string[]>;
  for (const entry of ENTRIES) expect(offered[entry], entry).toEqual(Object.keys(await import(entry)).sort());
});
