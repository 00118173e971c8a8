/** Where pushes may go: https to public addresses, and whatever lies inside the networks that the operator names. */
import { type Cidr, isInside, isPublicAddress, parseAddress } from "./address.js";

export interface EgressPolicy {
  /** Networks that pushes may reach beside the public internet; only there http, any port and local names. */
  readonly allow: readonly Cidr[];
  /** Ports on public addresses. */
  readonly ports: readonly number[];
}

export const PUBLIC_ONLY: EgressPolicy = { allow: [], ports: [443] };

/** The part of a URL that decides which addresses it may lead to. */
export interface Target {
  /** `http:` or `https:`. */
  readonly protocol: string;
  readonly hostname: string;
  /** Empty for the protocol's own port. */
  readonly port: string;
}

export type UrlVerdict =
  | { readonly ok: true; readonly url: URL }
  | { readonly ok: false; readonly code: "INVALID_URL" | "BLOCKED_ADDRESS"; readonly message: string };

/** Names that never stand for a host of the public internet (RFC 6761, RFC 6762, RFC 8375, RFC 7686). */
const LOCAL_SUFFIXES = ["localhost", "local", "internal", "home.arpa", "onion", "test", "invalid", "lan"];
/** Services that hand out credentials to whoever asks: never an endpoint, whatever is allowed. */
const METADATA_HOSTS = ["metadata.google.internal", "metadata", "instance-data"];

/** Judges a URL before anything is resolved or sent. The connector judges the addresses that it leads to. */
export function judgeUrl(text: string, policy: EgressPolicy): UrlVerdict {
  if (!URL.canParse(text)) return invalid("The endpoint's URL cannot be read. Expected https://host/path.");
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return invalid(`An endpoint's URL starts with https://.`);
  if (url.username || url.password) {
    return invalid("An endpoint's URL must not contain a user or password. Send them with --header name=env:VAR.");
  }
  if (url.hash) return invalid("An endpoint's URL must not have a fragment (#…).");
  const host = bareHost(url.hostname);
  if (METADATA_HOSTS.includes(host)) return blocked(`${host} is a metadata service, never an endpoint.`);
  const address = parseAddress(host);
  if (address && !addressAllowed(address, url, policy)) {
    return blocked(`${url.host} is not a public address. Allow its network with AIKI_EGRESS_ALLOW.`);
  }
  if (!address && needsAllowance(url, policy) && policy.allow.length === 0) {
    return blocked(`${url.protocol}//${url.host}: ${requirement(url, policy)}`);
  }
  return { ok: true, url };
}

/** Whether a connection to this address may be used for this URL. */
export function addressAllowed(
  address: ReturnType<typeof parseAddress>,
  target: Target,
  policy: EgressPolicy,
): boolean {
  if (!address) return false;
  if (isInside(address, policy.allow)) return true;
  return !needsAllowance(target, policy) && isPublicAddress(address);
}

/** Plain http, unusual ports and local names are only for networks that the operator named. */
function needsAllowance(target: Target, policy: EgressPolicy): boolean {
  return target.protocol !== "https:" || !portAllowed(target, policy) || isLocalName(target.hostname);
}

function requirement(target: Target, policy: EgressPolicy): string {
  if (target.protocol !== "https:") return "pushes use https; http only inside the networks of AIKI_EGRESS_ALLOW.";
  if (!portAllowed(target, policy)) {
    return `pushes go to port ${policy.ports.join(", ")}; other ports only with AIKI_EGRESS_PORTS or inside AIKI_EGRESS_ALLOW.`;
  }
  return "this name is not a host of the public internet. Allow its network with AIKI_EGRESS_ALLOW.";
}

function portAllowed(target: Target, policy: EgressPolicy): boolean {
  return policy.ports.includes(target.port === "" ? 443 : Number(target.port));
}

function isLocalName(hostname: string): boolean {
  const host = bareHost(hostname);
  if (parseAddress(host)) return false;
  return !host.includes(".") || LOCAL_SUFFIXES.some((suffix) => host.endsWith(`.${suffix}`));
}

/** `localhost.` and `localhost` are one host, and URL parsing keeps the dot. */
function bareHost(hostname: string): string {
  return (hostname.endsWith(".") ? hostname.slice(0, -1) : hostname).toLowerCase();
}

function invalid(message: string): UrlVerdict {
  return { ok: false, code: "INVALID_URL", message };
}

function blocked(message: string): UrlVerdict {
  return { ok: false, code: "BLOCKED_ADDRESS", message };
}
