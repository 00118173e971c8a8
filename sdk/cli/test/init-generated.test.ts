import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { aiki } from "./aiki.js";

// Each command is a process of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 });

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const TSC = join(REPOSITORY, "node_modules/.bin/tsc");

let folder: string;
const children: ChildProcess[] = [];
/** Below the repository, so that imports find the built packages. */
beforeAll(() => {
  mkdirSync(join(REPOSITORY, ".tmp"), { recursive: true });
  folder = mkdtempSync(join(REPOSITORY, ".tmp", "init-"));
});
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function project(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  expect(await aiki(["init"], { cwd: root })).toMatchObject({ code: 0, stderr: "" });
  return root;
}

function tsconfig(resolution: "nodenext" | "bundler"): string {
  const module = resolution === "nodenext" ? "nodenext" : "esnext";
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  const compilerOptions = {
    ...strict,
    module,
    moduleResolution: resolution,
    target: "es2023",
    noEmit: true,
    types: ["node"],
  };
  return JSON.stringify({ compilerOptions, include: ["src", "app", "pages"] });
}

const dependsOn = (name: string, type = "module") => JSON.stringify({ type, dependencies: { [name]: "*" } });

test.each([
  ["next-app", { "package.json": dependsOn("next"), "app/page.tsx": "", "tsconfig.json": tsconfig("bundler") }],
  ["next-pages", { "package.json": dependsOn("next"), "pages/a.tsx": "", "tsconfig.json": tsconfig("bundler") }],
  ["express", { "package.json": dependsOn("express"), "tsconfig.json": tsconfig("nodenext") }],
  ["hono", { "package.json": dependsOn("hono"), "tsconfig.json": tsconfig("nodenext") }],
  [
    "workers",
    {
      "package.json": dependsOn("zod"),
      "wrangler.toml": 'main = "src/index.ts"',
      "tsconfig.json": tsconfig("nodenext"),
      "src/index.ts": `import { aiki } from "./aiki/route.js";
        export const worker = {
          fetch(request: Request, env: object, ctx: object): Response | Promise<Response> {
            if (new URL(request.url).pathname === "/api/aiki") return aiki(request, env, ctx);
            return new Response("hello");
          },
        };`,
    },
  ],
  ["plain", { "package.json": dependsOn("zod"), "tsconfig.json": tsconfig("nodenext") }],
] as const)("what init writes for %s compiles under strict settings", async (name, files) => {
  const root = await project(name, files);
  await promisify(execFile)(TSC, ["-p", root]).catch((error: { stdout: string }) => expect.fail(error.stdout));
});

/** Starts a generated app and asks its endpoint. */
async function greeting(root: string, script: string): Promise<unknown> {
  const child = spawn(process.execPath, [script], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`${script} ended`)));
    child.stdout.on("data", (chunk) => {
      const match = /http:\/\/\S+/.exec(String(chunk));
      if (match) resolve(match[0]);
    });
  });
  const response = await fetch(url);
  expect(response.headers.get("aiki-protocol")).toBe("1");
  return response.json();
}

test("an Express app in CommonJS serves what init wrote", async () => {
  const main = `
    const express = require("express");
    const { aiki } = require("./src/aiki/route.js");
    const app = express();
    app.use(express.json());
    app.use("/api/aiki", aiki);
    const server = app.listen(0, () => console.log("http://localhost:" + server.address().port + "/api/aiki"));`;
  const root = await project("commonjs", { "package.json": dependsOn("express", "commonjs"), "index.js": main });
  expect(await greeting(root, "index.js")).toMatchObject({ workflows: 1, served: ["hello@1.0.0"] });
});
