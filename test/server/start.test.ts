import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { client } from "@aikirun/client";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@aikirun/server/shell/embedded-postgres";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { freePort, Program } from "../../scripts/processes.js";
import { root } from "../../scripts/workspaces.js";
import { readText } from "../repository/sources.js";

const READY_MS = 60_000;
const CLI = "sdk/cli/dist/bin.js";

describe("an orchestrator that is deployed, on a Postgres that was there before", () => {
  let folder: string;
  let postgres: EmbeddedPostgres;
  let env: NodeJS.ProcessEnv;
  let port: number;
  let program: Program | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "aiki-start-"));
    postgres = await startEmbeddedPostgres(join(folder, "data"));
    port = await freePort();
    env = {
      ...process.env,
      NODE_ENV: undefined,
      DATABASE_URL: postgres.url,
      AIKI_SECRET: randomBytes(32).toString("base64"),
      AIKI_ADMIN_KEY: randomBytes(24).toString("hex"),
      PORT: String(port),
    };
  });
  afterEach(() => program?.stop());
  afterAll(async () => {
    await postgres?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = async (cwd: string, command: string, ...args: readonly string[]) =>
    (await promisify(execFile)(command, args, { cwd, env })).stdout;

  async function answers(): Promise<void> {
    await program?.line(/^aiki ready /, READY_MS);
    const url = `http://localhost:${port}`;
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    const key = env["AIKI_ADMIN_KEY"] ?? "";
    expect(await client({ url, apiKey: key }).listEndpoints()).toEqual([]);
    await expect(client({ url, apiKey: `not-${key}` }).listEndpoints()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  }

  it("says that the database needs `aiki migrate`, which then brings it up to date", async () => {
    await expect(run(root, process.execPath, CLI, "start")).rejects.toMatchObject({
      stderr: expect.stringContaining("SCHEMA_TOO_OLD"),
    });
    expect(await run(root, process.execPath, CLI, "migrate")).toMatch(/^Applied /);
  });

  it.each(["npm", "bun"])("starts with `%s run server`", { timeout: 2 * READY_MS }, async (runner) => {
    program = new Program({ name: `${runner} run server`, cwd: root, command: runner, args: ["run", "server"], env });
    await answers();
  });

  it("starts from what the Dockerfile installs", { timeout: 3 * READY_MS }, async () => {
    const tsx = join(root, "node_modules/tsx/dist/cli.mjs");
    await run(root, process.execPath, tsx, "scripts/pack.ts", join(folder, "packed"));
    const image = mkdtempSync(join(folder, "image-"));
    const install = /^RUN (npm install .+?(?:\\\n.+?)*)$/m.exec(readText("infra/Dockerfile"))?.[1] ?? "";
    await run(image, "sh", "-c", install.replaceAll("/packed/", `${folder}/packed/`));
    const [node = "", bin = ""] = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(readText("infra/Dockerfile"))?.[1] ?? "[]");
    program = new Program({ name: "the image's program", cwd: image, command: node, args: [bin, "start"], env });
    await answers();
  });
});
