import { serveAiki } from "@aikirun/next/pages";
import { trialV1 } from "@examples/workflows";

export default serveAiki([trialV1]);
