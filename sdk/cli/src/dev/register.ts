import type { Client } from "@aikirun/client";
import type { Endpoint } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { isListening } from "./listening.js";

export type Registered =
  | { readonly type: "registered"; readonly endpoint: Endpoint; readonly insteadOf: string | undefined }
  /** Another endpoint, which is up, serves one of its versions. */
  | { readonly type: "owned"; readonly message: string }
  | { readonly type: "failed"; readonly message: string };

/**
 * Registers a URL that was found or named. A version that belongs to an endpoint that is gone is taken over: Next moves
 * to port 3001 when 3000 is taken, and back again.
 */
export async function register(
  aiki: Pick<Client, "registerEndpoint">,
  url: string,
  mayTakeFrom: (ownerUrl: string) => Promise<boolean> = isGone,
): Promise<Registered> {
  try {
    return { type: "registered", endpoint: await aiki.registerEndpoint({ url }), insteadOf: undefined };
  } catch (error) {
    if (!(error instanceof AikiError)) throw error;
    if (error.code !== "VERSION_OWNED") return { type: "failed", message: `${error.code} ${error.message}` };
    const owner = error.details?.url;
    if (typeof owner !== "string" || !(await mayTakeFrom(owner))) {
      return { type: "owned", message: `${error.code} ${url}: ${error.message}` };
    }
    return takeOver(aiki, url, owner);
  }
}

async function takeOver(aiki: Pick<Client, "registerEndpoint">, url: string, owner: string): Promise<Registered> {
  try {
    const endpoint = await aiki.registerEndpoint({ url, takeOver: true });
    return { type: "registered", endpoint, insteadOf: owner };
  } catch (error) {
    if (!(error instanceof AikiError)) throw error;
    return { type: "failed", message: `${error.code} ${error.message}` };
  }
}

/** Nobody listens there any more. Only this machine's ports are looked at. */
async function isGone(ownerUrl: string): Promise<boolean> {
  const port = loopbackPort(ownerUrl);
  return port !== undefined && !(await isListening(port));
}

/** The port of a URL on this machine. */
export function loopbackPort(text: string): number | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) return undefined;
  return Number(url.port || (url.protocol === "https:" ? 443 : 80));
}
