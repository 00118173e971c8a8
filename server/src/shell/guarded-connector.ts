/** Connects only to addresses that the egress policy allows, and to exactly the addresses that it judged. */
import { type LookupAddress, type LookupAllOptions, lookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { parseAddress } from "../egress/address.js";
import { addressAllowed, type EgressPolicy, type Target } from "../egress/policy.js";

export class BlockedAddress extends Error {
  override readonly name = "BlockedAddress";
  readonly code = "BLOCKED_ADDRESS";
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Resolves a name to every address it has. Replaced in tests by a name server that changes its answers. */
export type Resolve = (hostname: string, callback: (error: Error | null, addresses: LookupAddress[]) => void) => void;

const resolveWithSystem: Resolve = (hostname, callback) => {
  const options: LookupAllOptions = { all: true, verbatim: true };
  lookup(hostname, options, callback);
};

/**
 * An undici connector for one origin, with three guards: a literal address is judged before connecting (Node never
 * calls `lookup` for one), a resolved name is refused when *any* of its addresses is not allowed and the judged list is
 * what is dialled (no second resolution to rebind), and the peer's address is judged again before the request is sent.
 */
export function guardedConnector(
  origin: Target,
  policy: EgressPolicy,
  resolve: Resolve = resolveWithSystem,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    lookup: guardedLookup(origin, policy, resolve),
    minVersion: "TLSv1.2",
  } as buildConnector.BuildOptions);
  const literal = parseAddress(origin.hostname);
  const literalBlocked = literal !== undefined && !addressAllowed(literal, origin, policy);
  return (target, callback) => {
    if (literalBlocked) return callback(new BlockedAddress(target.hostname), null);
    connect(target, (...[error, socket]) => {
      if (error) return callback(error, null);
      if (!socket) return;
      if (addressAllowed(parseAddress(socket.remoteAddress ?? ""), origin, policy)) return callback(null, socket);
      socket.destroy();
      callback(new BlockedAddress(target.hostname), null);
    });
  };
}

function guardedLookup(target: Target, policy: EgressPolicy, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, (error, addresses) => {
      const first = addresses?.[0];
      if (error) callback(error, "", 0);
      else if (!first || !addresses.every((one) => addressAllowed(parseAddress(one.address), target, policy))) {
        callback(new BlockedAddress(hostname), "", 0);
      } else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
