import { bundledConformance } from "../../../sdk/endpoint/test/workerd-conformance.js";

bundledConformance(
  "@aikirun/hono",
  new URL(".", import.meta.url),
  `
import { Hono } from "hono";
import { serveAiki } from "@aikirun/hono";
import { counts, probes, silent } from "../../../sdk/endpoint/test/probes.js";
const app = new Hono();
app.get("/counts", (c) => c.json(counts()));
app.all("/api/aiki", serveAiki(probes, { logger: silent }));
export default app;
`,
);
