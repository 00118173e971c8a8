import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What a bundler makes of a module with this text: minified bytes, and the packages that got in. */
async function bundle(contents: string) {
  const result = await build({
    stdin: { contents, resolveDir: source("."), loader: "ts" },
    alias: {
      "@aikirun/workflow/replay": source("../src/replay/index.ts"),
      "@aikirun/workflow": source("../src/index.ts"),
      "@aikirun/protocol/canonical": source("../../protocol/src/canonical.ts"),
      "@aikirun/protocol": source("../../protocol/src/index.ts"),
    },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
  });
  const [output] = Object.values(result.metafile.outputs);
  const inputs = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { bytes: output?.bytes ?? 0, inputs: inputs.map(([path]) => path) };
}

describe("what user code ships", () => {
  it("to define and start workflows: under 12 KiB, without zod, hashing or replay", async () => {
    const { bytes, inputs } = await bundle(
      `import { event, task, workflow } from "@aikirun/workflow"; console.log(event, task, workflow);`,
    );
    expect(inputs.filter((path) => /zod|noble|replay/.test(path))).toEqual([]);
    expect(bytes).toBeLessThan(12 * 1024);
  });

  it("to replay as well: under 48 KiB, without zod", async () => {
    const { bytes, inputs } = await bundle(
      `export * from "@aikirun/workflow"; export { defaultHost, execute } from "@aikirun/workflow/replay";`,
    );
    expect(inputs.filter((path) => path.includes("zod"))).toEqual([]);
    expect(inputs.some((path) => path.includes("noble"))).toBe(true);
    expect(bytes).toBeLessThan(48 * 1024);
    console.info(`@aikirun/workflow with replay, minified: ${bytes} bytes`);
  });
});
