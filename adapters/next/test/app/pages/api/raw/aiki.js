import { serveAiki } from "@aikirun/next/pages";
import { probes, silent } from "../../../../../../../sdk/endpoint/test/probes.js";

export const config = { api: { bodyParser: false } };
export default serveAiki(probes, { logger: silent });
