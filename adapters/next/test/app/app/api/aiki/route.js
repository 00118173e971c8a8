import { serveAiki } from "@aikirun/next";
import { probes, silent } from "../../../../../../../sdk/endpoint/test/probes.js";

export const maxDuration = 60;
export const { GET, POST } = serveAiki(probes, { maxDuration: { seconds: 60 }, logger: silent });
