/** Run by Bun: the endpoint without any adapter, as `export default { fetch }` serves it. */
import { endpoint } from "@aikirun/endpoint";
import { counts, probes, silent } from "./probes.js";

declare const Bun: { serve(options: object): { port: number } };

const fetch = endpoint({ workflows: probes, logger: silent });
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request: Request) => (new URL(request.url).pathname === "/counts" ? Response.json(counts()) : fetch(request)),
});
console.log(server.port);
