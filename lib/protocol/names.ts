/** Names, addresses and ids as they travel: what is well-formed, and one spelling for each. */

import { isIPv6 } from "node:net";

/** Longest group or user name, in Unicode code points. */
export const MAX_NAME = 64;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
// The spare bits of the last character are 0: another spelling would be another id for one key.
const KEY = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const SIGNATURE = /^[A-Za-z0-9_-]{85}[AQgw]$/;
const ADDRESS = /^(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;

const IPC = /^ipc:\/\/\/[A-Za-z0-9._/-]{1,93}$/;

/**
 * What no name may hold: line breaks, controls, surrogates, format and bidi characters, what is
 * drawn as nothing, and marks in such number that they reach into other lines.
 */
const NOT_IN_NAMES =
  /[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]|\p{M}{9}/u;

/** A UUID in lower case with hyphens, any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A message id: a version 7 UUID in lower case, so that text order is time order. */
export function isMid(text: string): boolean {
  return text.length === 36 && UUID7.test(text);
}

/** The millisecond a message id was made, by its maker's clock. */
export function midTime(mid: string): number {
  return parseInt(mid.slice(0, 8) + mid.slice(9, 13), 16);
}

/** A raw 32-byte public key, base64url without padding, 43 characters. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** A 64-byte Ed25519 signature, base64url without padding, 86 characters. */
export function isSignature(text: string): boolean {
  return SIGNATURE.test(text);
}

/**
 * Why a group or user name is not usable, or undefined when it is: 1 to 64 code points, NFC, no
 * outer spaces, no controls, no bidi or invisible characters, and not the shape of an address.
 */
export function nameProblem(name: string): string | undefined {
  if (name.length === 0) return "it is empty";
  if (name.length > 2 * MAX_NAME || [...name].length > MAX_NAME) {
    return `it is longer than ${MAX_NAME} characters`;
  }
  if (NOT_IN_NAMES.test(name)) return "it holds an invisible or control character";
  if (name.trim() !== name) return "it begins or ends with a space";
  if (name.normalize("NFC") !== name) return "it is not in Unicode normal form C";
  if (ADDRESS.test(name) || isIpc(name)) return "it looks like an address";
  if (UUID.test(name)) return "it looks like an id";
  return undefined;
}

/** The one spelling of a name that a person typed: outer spaces off, NFC. */
export function normalName(name: string): string {
  return name.normalize("NFC").trim();
}

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
