// Which network addresses are public. Pure; resolves nothing.
import ipaddr from "ipaddr.js";

/**
 * Whether an address, as text, is reachable on the public internet as itself. Loopback, private, link-local, shared, multicast,
 * reserved, and every IPv6 form that carries an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64, ISATAP) are not.
 */
export function isPublic(address: string): boolean {
  // A zone id means an address that is local to one link.
  if (address.includes("%") || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast") return false;
  if (parsed instanceof ipaddr.IPv4) return true;
  const [first = 0, second = 0, , , , marker] = parsed.parts;
  const globalUnicast = first >> 13 === 1;
  const documentation = first === 0x3fff && second < 0x1000;
  return globalUnicast && !documentation && marker !== 0x5efe;
}

export function isLoopback(host: string): boolean {
  const bare = host
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  if (bare === "localhost" || bare.endsWith(".localhost")) return true;
  return ipaddr.isValid(bare) && ipaddr.process(bare).range() === "loopback";
}

/** The address that a URL's host spells, or undefined when it is a name. */
export function literal(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  return ipaddr.isValid(bare) ? bare : undefined;
}
