import { serveAiki } from "@aikirun/next";
import { orderV1 } from "@examples/workflows";

export const maxDuration = 60;
export const { GET, POST } = serveAiki([orderV1], { maxDuration: { seconds: 60 } });
