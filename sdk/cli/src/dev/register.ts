import type { Client } from "@aikirun/client";
import type { Endpoint } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { isListening } from "./listening.js";

export type Registrar = Pick<Client, "registerEndpoint" | "listEndpoints" | "refreshEndpoint">;

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
  aiki: Registrar,
  url: string,
  mayTakeFrom: (ownerUrl: string) => Promise<boolean> = isGone,
): Promise<Registered> {
  try {
    return { type: "registered", endpoint: await refreshOrRegister(aiki, url), insteadOf: undefined };
  } catch (error) {
    if (!(error instanceof AikiError)) throw error;
    const owner = error.details?.url;
    if (error.code !== "VERSION_OWNED" || typeof owner !== "string") return failed(error);
    if (!(await mayTakeFrom(owner))) return { type: "owned", message: `${error.code} ${url}: ${error.message}` };
    return takeOver(aiki, url, owner);
  }
}

/** An endpoint that is known keeps the name and headers that a person gave it. */
async function refreshOrRegister(aiki: Registrar, url: string): Promise<Endpoint> {
  const known = (await aiki.listEndpoints()).find((endpoint) => endpoint.url === url);
  return known ? aiki.refreshEndpoint(known.id) : aiki.registerEndpoint({ url });
}

async function takeOver(aiki: Registrar, url: string, owner: string): Promise<Registered> {
  try {
    const endpoint = await aiki.registerEndpoint({ url, takeOver: true });
    return { type: "registered", endpoint, insteadOf: owner };
  } catch (error) {
    if (!(error instanceof AikiError)) throw error;
    return failed(error);
  }
}

function failed({ code, message }: AikiError): Registered {
  return { type: "failed", message: `${code} ${message}` };
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
