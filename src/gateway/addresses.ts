// Host names, origins and peer addresses: which are loopback, which are this server's own.
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Config } from "../core/config.ts";

/** Lower case, without port, brackets, final dot; IPv4-mapped IPv6 as IPv4. Undefined when it is not a host. */
export function hostName(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:/@\\?#[\]]+))(?::\d{1,5})?$/i.exec(host ?? "");
  const name = (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, "");
  return name && plainAddress(name);
}

/** `::ffff:127.0.0.1` and `::ffff:7f00:1` are 127.0.0.1. */
export function plainAddress(address: string): string {
  const mapped = /^(?:0{0,4}:){0,5}:?ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address);
  if (!mapped) return address;
  if (mapped[1]) return mapped[1];
  const [high, low] = [Number.parseInt(mapped[2]!, 16), Number.parseInt(mapped[3]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

export const isLoopback = (name: string): boolean =>
  name === "localhost" ||
  name === "::1" ||
  (/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name) && name.split(".").every((part) => Number(part) < 256));

/** One key for a client: IPv4-mapped forms are merged, an IPv6 client is its /64. */
export function clientKey(address: string): string {
  const plain = plainAddress(address);
  return plain.includes(":") ? plain.split(":").slice(0, 4).join(":") : plain;
}

/** Who sent it: the direct peer; where that is a configured proxy, the last address passed on that is none itself. */
export function clientAddress(peer: string, headers: Headers, proxies: readonly string[]): string {
  const known = new Set(proxies.map(plainAddress));
  const direct = plainAddress(peer);
  if (!known.has(direct)) return direct;
  const passed = (headers.get("x-forwarded-for") ?? "").split(",").map((one) => plainAddress(one.trim()));
  const client = passed.findLast((one) => !known.has(one));
  return client !== undefined && isIP(client) !== 0 ? client : direct;
}

export interface Own {
  /** The listener's address as given. */
  host: string;
  port: number;
}

const isEvery = (host: string): boolean => host === "0.0.0.0" || host === "::";
/** A listener on every address is called by each of them; no name of others leads to a bare address. */
const hostsOf = (own: Own, { server }: Config): string[] => [
  ...(isEvery(own.host)
    ? Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address))
    : [own.host.toLowerCase()]),
  ...server.hosts.map((name) => name.toLowerCase().replace(/\.$/, "")),
];

export function hostAllowed(host: string | undefined, own: Own, config: Config): boolean {
  const name = hostName(host);
  return name !== undefined && (isLoopback(name) || (!isEvery(name) && hostsOf(own, config).includes(name)));
}

/** Own listener by every name it has, and those that the owner added. Exact texts only. */
export function originAllowed(origin: string, own: Own, config: Config): boolean {
  if (config.server.origins.includes(origin)) return true;
  const match = /^https?:\/\/(.+?)(?::(\d+))?$/.exec(origin);
  if (!match || Number(match[2] ?? (origin.startsWith("https") ? 443 : 80)) !== own.port) return false;
  const name = match[1]!;
  if (name !== name.toLowerCase()) return false;
  return ["localhost", "127.0.0.1", "[::1]", ...hostsOf(own, config).map((one) => (one.includes(":") ? `[${one}]` : one))].includes(name);
}
