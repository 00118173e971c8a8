import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../src/api/routes.js";
import { diskAssets } from "../../src/shell/disk-assets.js";
import { start } from "./server.js";

const PAGE = `<!doctype html><title>Aiki</title>${" ".repeat(2_000)}`;
const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "aiki-pages-"));
  await mkdir(join(folder, "assets"));
  await writeFile(join(folder, "index.html"), PAGE);
  await writeFile(join(folder, "favicon.svg"), "<svg/>");
  await writeFile(join(folder, "assets", "main-abc123.js"), `console.log(${JSON.stringify("x".repeat(3_000))})`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the dashboard", () => {
  it("is served at / and at every place within it, with a strict policy", async () => {
    const { call } = await start("start", { dashboard: folder });
    for (const path of ["/", "/index.html", "/runs", "/runs/run_1", "/workflows/a@1/b?x=1", "/v1beta"]) {
      const answer = await call("GET", path, { key: undefined, headers: BROWSER });
      expect([path, answer.status, answer.text]).toEqual([path, 200, PAGE]);
      expect(answer.headers).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      });
      const policy = String(answer.headers["content-security-policy"]).split("; ");
      for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"])
        expect(policy).toContain(part);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(String(answer.headers["content-security-policy"])).not.toMatch(/unsafe|\*/);
    }
    const head = await call("HEAD", "/runs", { key: undefined, headers: BROWSER });
    expect([head.status, head.text]).toEqual([200, ""]);
    expect((await call("GET", "/", { key: undefined })).text).toBe(PAGE);
  });

  it("swallows nothing of the API", async () => {
    const { call } = await start("start", { dashboard: folder });
    for (const path of ["/v1", "/v1/", "/v1/nothing", "/v1/runs/x/y", "/v2/runs", "/health/x", "/.well-known/x"]) {
      const answer = await call("GET", path, { headers: BROWSER });
      expect([path, answer.status, answer.json?.error.code]).toEqual([path, 404, "NOT_FOUND"]);
    }
    for (const path of [
      "/assets/gone-1.js",
      "/gone.js",
      "/assets/",
      "/assets/../../package.json",
      "/%2e%2e/index.html.x",
    ])
      expect([path, (await call("GET", path, { headers: BROWSER })).status]).toEqual([path, 404]);
    for (const accept of [undefined, "*/*", "application/json"]) {
      const program = await call("GET", "/api/v1/runs", { headers: accept === undefined ? {} : { accept } });
      expect([accept, program.status, program.json.error.code]).toEqual([accept, 404, "NOT_FOUND"]);
    }
    expect((await call("POST", "/runs", { body: {} })).status).toBe(404);
    expect((await call("GET", "/health")).json).toMatchObject({ status: "ok" });
    const system = routes.filter(({ path, method }) => method === "GET" && !path.startsWith("/v1"));
    expect(system.map(({ path }) => path)).toEqual([
      "/.well-known/jwks.json",
      "/health",
      "/ready",
      "/metrics",
      "/openapi.json",
    ]);
  });

  it("is kept by browsers: what is named by its contents for ever, the page until it changes", async () => {
    const { call } = await start("dev", { dashboard: folder });
    const script = await call("GET", "/assets/main-abc123.js");
    expect(script.headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "public, max-age=31536000, immutable",
    });
    const page = await call("GET", "/");
    const etag = String(page.headers["etag"]);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await call("GET", "/", { headers: { "if-none-match": known } });
      expect([again.status, again.text]).toEqual([304, ""]);
    }
    expect((await call("GET", "/", { headers: { "if-none-match": '"other"' } })).status).toBe(200);
  });

  it("is sent compressed to whoever takes that", async () => {
    const assets = await diskAssets(folder);
    const [plain, gzipped] = [await assets?.get("/index.html", ""), await assets?.get("/index.html", "br, gzip")];
    expect(gunzipSync(gzipped?.body as Uint8Array).toString()).toBe(PAGE);
    expect(gzipped).toMatchObject({ contentEncoding: "gzip", etag: `W/${plain?.etag}` });
    expect(await assets?.get("/favicon.svg", "gzip")).not.toHaveProperty("contentEncoding");
  });

  it("of aiki dev is not for other web sites", async () => {
    const { call } = await start("dev", { dashboard: folder });
    const foreign = await call("GET", "/", { headers: { host: "evil.example" } });
    expect([foreign.status, foreign.json.error.code]).toEqual([403, "FOREIGN_HOST"]);
  });

  it("is not there when it was not built", async () => {
    expect(await diskAssets(join(folder, "assets"))).toBeUndefined();
    const { call } = await start("start", { dashboard: join(folder, "nowhere") });
    expect((await call("GET", "/")).json.error.code).toBe("NOT_FOUND");
  });
});
