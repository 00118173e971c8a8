/** Which addresses a push may go to. Every rule about addresses is here, and every place that connects asks here. */
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type Cidr = readonly [Address, number];

/** The loopback networks, which `aiki dev` allows. */
export const LOOPBACK_CIDRS: readonly Cidr[] = [ipaddr.parseCIDR("127.0.0.0/8"), ipaddr.parseCIDR("::1/128")];

const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR("2000::/3");

/** Reads `10.0.0.0/8` or `fd00::/8`. Undefined when it is no CIDR, has bits set below its prefix, or allows everything. */
export function parseCidr(text: string): Cidr | undefined {
  if (!ipaddr.isValidCIDR(text)) return undefined;
  const [address, bits] = ipaddr.parseCIDR(text);
  if (bits === 0) return undefined;
  const network =
    address.kind() === "ipv4"
      ? ipaddr.IPv4.networkAddressFromCIDR(text).toString()
      : ipaddr.IPv6.networkAddressFromCIDR(text).toString();
  return network === address.toString() ? [address, bits] : undefined;
}

/** The address in a host name of a URL or a socket, v4-mapped v6 taken apart. Undefined when the text is a name. */
export function parseAddress(host: string): Address | undefined {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
  return bare.includes(":") && ipaddr.IPv6.isValid(bare) ? ipaddr.process(bare) : undefined;
}

/**
 * Whether the whole internet can reach this address: global unicast and in none of IANA's special-purpose registries.
 * Addresses that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo, ISATAP) lead elsewhere and are refused.
 */
export function isPublicAddress(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  if (address.kind() === "ipv4") return true;
  const v6 = address as ipaddr.IPv6;
  return v6.match(GLOBAL_UNICAST_V6) && !isIsatap(v6);
}

/** RFC 5214: the interface identifier `0:5efe` or `200:5efe` is followed by an IPv4 address. */
function isIsatap(address: ipaddr.IPv6): boolean {
  return (address.parts[4] === 0 || address.parts[4] === 0x200) && address.parts[5] === 0x5efe;
}

export function isInside(address: Address, cidrs: readonly Cidr[]): boolean {
  return cidrs.some(([network, bits]) => network.kind() === address.kind() && address.match([network, bits]));
}
