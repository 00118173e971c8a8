import { bundledConformance } from "./workerd-conformance.js";

bundledConformance(
  "@aikirun/endpoint",
  new URL(".", import.meta.url),
  `
import { endpoint } from "@aikirun/endpoint";
import { counts, probes, silent } from "./probes.js";
const serve = endpoint({ workflows: probes, logger: silent });
export default {
  fetch: (request: Request, env: object) =>
    new URL(request.url).pathname === "/counts" ? Response.json(counts()) : serve(request, env),
};
`,
);
