/** The exchange of Workers, in Cloudflare's runtime, as an `Exchange` of this process: what it says there is said here. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { root } from "../../../scripts/workspaces.js";
import type { Exchange, Exchanged } from "../../src/egress/exchange.js";
import { COMPATIBILITY } from "../../src/shell/workers.js";

/** An object, so that the request that calls an exchange off meets it in the same place. */
const WORKER = `
import { LOOPBACK_CIDRS } from ${JSON.stringify(join(root, "server/src/egress/address.ts"))};
import { webExchange } from ${JSON.stringify(join(root, "server/src/shell/cloudflare/web-exchange.ts"))};
const exchange = webExchange({ allow: LOOPBACK_CIDRS, ports: [443] });
export class Exchanger {
  underWay = new Map();
  async fetch(request) {
    const { id, post } = await request.json();
    if (!post) {
      this.underWay.get(id)?.abort();
      return new Response();
    }
    const calledOff = new AbortController();
    this.underWay.set(id, calledOff);
    return Response.json(await exchange.post({ ...post, signal: calledOff.signal }));
  }
}
export default { fetch: (request, { EXCHANGER }) => EXCHANGER.getByName("one").fetch(request) };
`;
const CONFIGURATION = `
name = "exchange"
main = "worker.ts"
compatibility_date = "${COMPATIBILITY.date}"
compatibility_flags = ${JSON.stringify(COMPATIBILITY.flags)}
durable_objects.bindings = [{ name = "EXCHANGER", class_name = "Exchanger" }]
migrations = [{ tag = "v1", new_sqlite_classes = ["Exchanger"] }]
`;

export async function workersExchange(): Promise<Exchange> {
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "exchange-"));
  writeFileSync(join(folder, "worker.ts"), WORKER);
  writeFileSync(join(folder, "wrangler.toml"), CONFIGURATION);
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  execFileSync(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", "out"], {
    cwd: folder,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true" },
  });
  const miniflare = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents: readFileSync(join(folder, "out/worker.js"), "utf8") }],
    compatibilityDate: COMPATIBILITY.date,
    compatibilityFlags: [...COMPATIBILITY.flags],
    durableObjects: { EXCHANGER: { className: "Exchanger", useSQLite: true } },
    handleRuntimeStdio: () => {},
  });
  const url = await miniflare.ready;
  const tell = (body: object) => fetch(url, { method: "POST", body: JSON.stringify(body) });
  return {
    async post({ signal, ...post }) {
      const id = crypto.randomUUID();
      const callOff = () => void tell({ id });
      if (signal.aborted) return { type: "failed", code: "ABORTED", detail: "was never asked", sent: false };
      signal.addEventListener("abort", callOff, { once: true });
      const response = await tell({ id, post });
      signal.removeEventListener("abort", callOff);
      return (await response.json()) as Exchanged;
    },
    async close() {
      await miniflare.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
