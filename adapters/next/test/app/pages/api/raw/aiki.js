import { serveAiki } from "@aikirun/next/pages";
import { probes, silent } from "../../../../../../../sdk/endpoint/test/probes";

export const config = { api: { bodyParser: false } };
export default serveAiki(probes, { logger: silent });
