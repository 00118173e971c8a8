import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aiki } from "./aiki.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "aiki-init-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
const read = (path: string) => readFileSync(join(root, path), "utf8");
const manifest = (dependencies: Record<string, string>, more: object = {}) => JSON.stringify({ dependencies, ...more });

async function init() {
  const { code, stdout } = await aiki(["init", "--json"], { cwd: root });
  expect(code).toBe(0);
  return JSON.parse(stdout) as {
    framework: string;
    files: { path: string; outcome: string }[];
    missing: string[];
    next: string[];
  };
}

test.each([
  [["app/page.tsx"], "next-app", "app/api/aiki/route.ts", "../../../src/aiki/hello"],
  [["src/app/page.tsx"], "next-app", "src/app/api/aiki/route.ts", "../../../aiki/hello"],
  [["pages/index.tsx"], "next-pages", "pages/api/aiki.ts", "../../src/aiki/hello"],
  [["src/pages/index.tsx"], "next-pages", "src/pages/api/aiki.ts", "../../aiki/hello"],
  [["app/page.tsx", "pages/index.tsx"], "next-app", "app/api/aiki/route.ts", "../../../src/aiki/hello"],
  [[], "next-app", "app/api/aiki/route.ts", "../../../src/aiki/hello"],
])("Next with %j: %s, route %s", async (files, framework, route, hello) => {
  write({ "package.json": manifest({ next: "16.4.6" }), "tsconfig.json": "{}" });
  for (const file of files) write({ [file]: "" });
  const result = await init();
  expect(result.framework).toBe(framework);
  expect(result.files).toEqual([
    { path: route, outcome: "wrote" },
    { path: "src/aiki/hello.ts", outcome: "wrote" },
  ]);
  expect(read(route)).toContain(`from "${hello}"`);
  expect(result.missing).toContain("@aikirun/next");
});

test.each([
  ["wrangler.toml", 'name = "w"\nmain = "./src/worker.ts"\n'],
  ["wrangler.jsonc", '{\n  // the entry\n  "main": "src/worker.ts"\n}'],
])("a Worker without a framework, by its %s: a route, and the lines to add to its fetch", async (name, config) => {
  write({ "package.json": manifest({ zod: "4.6.7" }, { type: "module" }), "tsconfig.json": "{}", [name]: config });
  const { framework, files, missing, next } = await init();
  expect(framework).toBe("workers");
  expect(files.map((file) => file.path)).toEqual(["src/aiki/route.ts", "src/aiki/hello.ts"]);
  expect(missing).toContain("@aikirun/endpoint");
  const mount = next.find((step) => step.startsWith("add to src/worker.ts"));
  expect(mount).toContain('import { aiki } from "./aiki/route.js";');
  expect(mount).toContain('pathname === "/api/aiki") return aiki(request, env, ctx);');
  expect(next).toContain("npx wrangler dev");
});

test("a second init changes nothing, and a file of the user's is left alone", async () => {
  write({ "package.json": manifest({ next: "16.4.6" }), "app/api/aiki/route.js": "// mine\n" });
  expect((await init()).files.map((file) => file.outcome)).toEqual(["kept", "wrote"]);
  expect((await init()).files.map((file) => file.outcome)).toEqual(["kept", "same"]);
  expect(read("app/api/aiki/route.js")).toBe("// mine\n");
});

test("Express in TypeScript: names the file to change and the line to add, and changes no file", async () => {
  const server = `import express from "express";\nconst app = express();\n`;
  write({
    "package.json": manifest({ express: "5.3.0" }, { type: "module" }),
    "tsconfig.json": "{}",
    "src/server.ts": server,
  });
  const { files, next } = await init();
  expect(files.map((file) => file.path)).toEqual(["src/aiki/route.ts", "src/aiki/hello.ts"]);
  expect(next.find((step) => step.startsWith("add to src/server.ts"))).toContain(
    `import { aiki } from "./aiki/route.js";\n       app.use("/api/aiki", aiki);`,
  );
  expect(read("src/server.ts")).toBe(server);
});

test("Express in CommonJS keeps require", async () => {
  write({ "package.json": manifest({ express: "4.22.0" }), "index.js": "const app = require('express')();" });
  await init();
  expect(read("src/aiki/route.js")).toContain(`const { helloV1 } = require("./hello.js");`);
  expect(read("src/aiki/hello.js")).toContain("module.exports = { helloV1 };");
});

test("Hono whose compiler keeps .ts imports", async () => {
  write({
    "package.json": manifest({ hono: "4.13.19" }, { type: "module" }),
    "tsconfig.json": `{ "compilerOptions": { "allowImportingTsExtensions": true } }`,
    "src/index.ts": "export const app = new Hono();",
  });
  const { next } = await init();
  expect(read("src/aiki/route.ts")).toContain(`from "./hello.ts"`);
  expect(next.join("\n")).toContain(`app.all("/api/aiki", aiki);`);
});

test("an empty project gets a server of its own, and the package manager is the project's", async () => {
  write({ "package.json": manifest({}, { type: "commonjs" }), "pnpm-lock.yaml": "" });
  const { framework, files, next } = await init();
  expect(framework).toBe("plain");
  expect(files.map((file) => file.path)).toEqual(["src/aiki/server.mjs", "src/aiki/hello.mjs"]);
  expect(next[0]).toBe("pnpm add @aikirun/workflow @aikirun/client @aikirun/endpoint @hono/node-server");
});

test("without a package.json it says where to go", async () => {
  const { code, stderr, stdout } = await aiki(["init"], { cwd: root });
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^INVALID_ARGUMENT There is no package\.json in .*npm init -y/);
});
