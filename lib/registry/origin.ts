/** Where a request comes from, as far as bounds and probes care. Pure. */

import { parseAddress } from "../protocol/names.ts";

/**
 * What is counted as one: an IPv4 address, or the first 64 bits of an IPv6 address, since whoever
 * has one of those has them all.
 */
export function originOf(ip: string): string {
  const plain = plainIp(ip);
  if (!plain.includes(":")) return plain;
  const [head, tail] = plain.split("::");
  const left = head.split(":").filter(Boolean);
  const right = tail === undefined ? [] : tail.split(":").filter(Boolean);
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right];
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":");
}

/** True if the host of `host:port` is this very IP, written out. */
export function isAt(address: string, ip: string): boolean {
  const host = parseAddress(address)?.host.replace(/^\[|\]$/g, "");
  return host !== undefined && ip !== "" && plainIp(host.toLowerCase()) === plainIp(ip);
}

/** An IPv4 address that came in over IPv6 is that IPv4 address. */
function plainIp(ip: string): string {
  return ip.toLowerCase().replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, "").replace(/%.*$/, "");
}
