import { serveAiki } from "@aikirun/next/pages";
import { probes, silent } from "../../../../../../../sdk/endpoint/test/probes";

export default serveAiki(probes, { logger: silent });
