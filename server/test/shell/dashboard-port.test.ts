import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { DASHBOARD_PORT, leadToDashboard } from "../../src/shell/dashboard-port.js";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

it("leads to the same place of the dashboard, and steps back for whoever has the port", async () => {
  const port = await freePort();
  const leads = await leadToDashboard("http://localhost:9850", { port });
  onTestFinished(async () => leads?.close());
  for (const path of ["/", "/runs?status=failed", "//evil.example/x"]) {
    const answer = await fetch(`http://localhost:${port}${path}`, { redirect: "manual" });
    expect([answer.status, answer.headers.get("location")]).toEqual([307, `http://localhost:9850${path}`]);
  }
  expect(await leadToDashboard("http://localhost:9850", { port })).toBeUndefined();
  await leads?.close();
  const again = await leadToDashboard("http://localhost:9850", { port });
  expect(again).toBeDefined();
  await again?.close();
  expect(DASHBOARD_PORT).toBe(9851);
});
