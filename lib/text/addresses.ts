/** Where servers are: `HOST:PORT` or `ipc:///PATH`, and a registry's address with its key. */

import { isIPv6 } from "node:net";
import { UsageError } from "../errors.ts";
import { isKey } from "../identity/ids.ts";
import { safeLine } from "./filter.ts";

const ADDRESS = /^(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;

const IPC = /^ipc:\/\/\/[A-Za-z0-9._/-]{1,93}$/;

/** Host and port of an address. */
export interface Endpoint {
  /** A host name, an IPv4 address, or an IPv6 address without its brackets. */
  readonly host: string;
  /** 0 to 65,535; 0 asks for a free one where a server binds. */
  readonly port: number;
}

/** The parts of `host:port` or `[v6]:port`; undefined when it is not one. */
export function parseAddress(text: string): Endpoint | undefined {
  const match = ADDRESS.exec(text);
  if (!match) return undefined;
  const [, host, digits] = match;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (!host.startsWith("[")) return { host, port };
  const inner = host.slice(1, -1);
  return isIPv6(inner) ? { host: inner, port } : undefined;
}

/** The address of a host, as {@linkcode parseAddress} gives it, and a port. */
export function formatAddress({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for `ipc:///PATH`, at most 100 plain characters: a socket of this machine, for libzmq. */
export function isIpc(text: string): boolean {
  return IPC.test(text);
}

/** True for `host:port` with a port of 1 to 65,535: an address that others can reach. */
export function isNetworkAddress(text: string): boolean {
  const endpoint = parseAddress(text);
  return endpoint !== undefined && endpoint.port > 0 && text.length <= 260;
}

/** True for either. */
export function isAddress(text: string): boolean {
  return isNetworkAddress(text) || isIpc(text);
}

/** True for what has the shape of an address, whether it can be one or not. */
export function looksLikeAddress(text: string): boolean {
  return ADDRESS.test(text) || isIpc(text);
}

/** Where a registry listens when nothing else is said. */
export const DEFAULT_REGISTRY = "127.0.0.1:5555";

/** Where a registry is, and which key it must have. */
export interface RegistryAddress {
  readonly address: string;
  /** Its public key; absent: the one pinned at the first use. */
  readonly key?: string;
}

/** The parts of `host:port` or `host:port#KEY`; undefined when it is neither. */
export function splitRegistry(text: string): RegistryAddress | undefined {
  const at = text.indexOf("#");
  const address = at < 0 ? text : text.slice(0, at);
  if (!isNetworkAddress(address)) return undefined;
  if (at < 0) return { address };
  const key = text.slice(at + 1);
  return isKey(key) ? { address, key } : undefined;
}

/** An IP as people write it: an IPv4 address that came over IPv6 is one, and no zone. */
export function plainIp(ip: string): string {
  return ip.toLowerCase().replace(/^::ffff:(?=[\d.]+$)/, "").replace(/%.*$/, "");
}

/** What counts as one address, as far as bounds and probes care: of IPv6 its first 64 bits, for the rest is the other's to choose. */
export function networkOf(ip: string): string {
  const plain = plainIp(ip);
  if (!isIPv6(plain)) return plain;
  const [head, tail] = plain.split("::");
  const [front, back] = [head, tail].map((part) => part ? part.split(":") : []);
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back];
  return `${groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":")}::/64`;
}

/** True for a host, or an IP, that each machine has for itself alone: no other one reaches it there. */
export function isOwnOnly(host: string): boolean {
  const plain = plainIp(host);
  return plain === "localhost" || plain === "::1" || /^127\./.test(plain);
}

/** True for what stands for every address of a machine: it can be listened on, and not be reached. */
export function isEveryAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** True if the host of `HOST:PORT` is this very IP, written out. */
export function isAt(address: string, ip: string): boolean {
  const host = parseAddress(address)?.host;
  return host !== undefined && ip !== "" && plainIp(host) === plainIp(ip);
}

/**
 * `HOST:PORT`, or `ipc:///PATH`; port 0 only where `free` allows "any free port". `what` names it in
 * the sentence.
 *
 * @throws {UsageError} it is neither
 */
export function checkedAddress(what: string, typed: string, { free = false } = {}): string {
  const endpoint = parseAddress(typed);
  if (isIpc(typed) || (endpoint && (free || endpoint.port > 0))) return typed;
  throw unusable(what, typed);
}

/** The parts of a registry's address; `what` names it in the sentence. @throws {UsageError} */
export function checkedRegistry(what: string, typed: string): RegistryAddress {
  const registry = splitRegistry(typed);
  if (registry) return registry;
  if (!typed.includes("#")) throw unusable(what, typed);
  throw new UsageError(
    `Cannot use ${what} ${safeLine(typed)}: expected HOST:PORT#KEY, the key in quotes and whole`,
  );
}

/** A host by itself, as others are told to reach this machine by. @throws {UsageError} */
export function checkedHost(typed: string): string {
  if (parseAddress(`${typed}:1`)) return typed;
  throw new UsageError(`Cannot advertise "${safeLine(typed)}": expected a host, without a port`);
}

function unusable(what: string, typed: string): UsageError {
  return new UsageError(
    `Cannot use ${what} ${safeLine(typed)}: expected HOST:PORT, for example 127.0.0.1:5555`,
  );
}
