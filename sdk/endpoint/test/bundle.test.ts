import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

const HELLO = `
import { Hono } from "hono";
import { serveAiki } from "@aikirun/hono";
import { workflow } from "@aikirun/workflow";
const hello = workflow({ name: "hello" }).v("1.0.0", { handler: async (run, input) => "Hello, " + input.name });
export default new Hono().all("/api/aiki", serveAiki([hello]));
`;

async function bundle(contents: string): Promise<{ minified: number; gzip: number; inputs: string[] }> {
  const resolveDir = fileURLToPath(new URL("../../../adapters/hono", import.meta.url));
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    write: false,
    metafile: true,
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  return { minified: code.length, gzip: gzipSync(code).length, inputs: Object.keys(metafile.inputs) };
}

/** Built for the browser, which has no module of Node: what loads one would fail here as it would on Workers. */
const KIB = 1024;

it("a hello endpoint with Hono stays small", async () => {
  const { minified, gzip } = await bundle(HELLO);
  console.info(
    `hello endpoint with Hono: ${Math.ceil(minified / KIB)} KiB minified, ${Math.ceil(gzip / KIB)} KiB gzip`,
  );
  expect(minified).toBeLessThan(220 * KIB);
  expect(gzip).toBeLessThan(74 * KIB);
});
