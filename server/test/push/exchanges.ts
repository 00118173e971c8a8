import { LOOPBACK_CIDRS } from "../../src/egress/address.js";
import type { Exchange } from "../../src/egress/exchange.js";
import { nodeExchange } from "../../src/shell/node-exchange.js";
import { workersExchange } from "./workers-exchange.js";

/** The exchange of each host. */
export const EXCHANGES: readonly { readonly host: string; readonly open: () => Promise<Exchange> }[] = [
  {
    host: "node",
    open: async () => nodeExchange({ policy: { allow: LOOPBACK_CIDRS, ports: [443] }, connections: 8 }),
  },
  { host: "workers", open: workersExchange },
];
