/** Clients that do not reach the orchestrator, or are refused by it. */
import { client } from "@aikirun/client";
import { expect, test } from "vitest";
import { freePort } from "../../scripts/processes.js";
import { aiki } from "../../sdk/cli/test/aiki.js";
import { ADMIN_KEY, start } from "../../server/test/api/server.js";

test("ORCHESTRATOR_UNREACHABLE: nobody listens there, told alike by the command and to the app", async () => {
  const url = `http://localhost:${await freePort()}`;
  const text = `Cannot reach ${url} (ECONNREFUSED). Start it with \`npx aiki dev\`, or set AIKI_URL.`;
  const listed = await aiki(["runs", "list"], { env: { AIKI_URL: url } });
  expect(listed).toEqual({ code: 1, stdout: "", stderr: `ORCHESTRATOR_UNREACHABLE ${text}\n` });
  await expect(client({ url, maxAttempts: 1 }).listRuns()).rejects.toMatchObject({
    code: "ORCHESTRATOR_UNREACHABLE",
    message: text,
  });
});

test("UNAUTHORIZED: the API key is missing, revoked, or of another orchestrator", async () => {
  const { server } = await start("start");
  const AIKI_URL = server.url;
  const ask = (AIKI_API_KEY?: string) =>
    aiki(["runs", "list"], { env: { AIKI_URL, ...(AIKI_API_KEY !== undefined && { AIKI_API_KEY }) } });
  const refused = (text: string) => ({
    code: 1,
    stdout: "",
    stderr: `UNAUTHORIZED ${text} Make one with \`aiki keys create\`.\n`,
  });
  expect(await ask()).toEqual(refused(`${AIKI_URL} wants an API key and AIKI_API_KEY is missing.`));

  const admin = client({ url: AIKI_URL, apiKey: ADMIN_KEY });
  const { key, secret } = await admin.createKey({ name: "shop", scope: "read" });
  await admin.revokeKey(key.id);
  const known = `${AIKI_URL} refused the API key: AIKI_API_KEY is revoked, expired, or of another orchestrator or namespace.`;
  expect(await ask(secret)).toEqual(refused(known));
  expect(await ask("a-key-of-somebody-else")).toEqual(refused(known));
});
