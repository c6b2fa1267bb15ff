/** Where a connection comes from, as far as bounds and probes care. Pure. */

import { isIPv6 } from "node:net";
import { parseAddress } from "../text/addresses.ts";

/** The address as people write it: an IPv4 address that came over IPv6 is one, and no zone. */
export function plainIp(ip: string): string {
  return ip.toLowerCase().replace(/^::ffff:(?=[\d.]+$)/, "").replace(/%.*$/, "");
}

/** What counts as one address: of IPv6 its first 64 bits, for the rest is the other's to choose. */
export function networkOf(ip: string): string {
  const plain = plainIp(ip);
  if (!isIPv6(plain)) return plain;
  const [head, tail] = plain.split("::");
  const [front, back] = [head, tail].map((part) => part ? part.split(":") : []);
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back];
  return `${groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":")}::/64`;
}

/** True if the host of `HOST:PORT` is this very IP, written out. */
export function isAt(address: string, ip: string): boolean {
  const host = parseAddress(address)?.host;
  return host !== undefined && ip !== "" && plainIp(host) === plainIp(ip);
}
