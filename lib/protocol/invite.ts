/** An invite as people pass it on: where a group is, who it must be, and a token. */

import { Buffer } from "node:buffer";
import { isUuid } from "../identity/ids.ts";
import { groupId, sha256 } from "../identity/keys.ts";
import { formatAddress, isNetworkAddress, parseAddress, splitRegistry } from "../text/addresses.ts";
import { nameProblem } from "../text/names.ts";
import { recordSignatureProblem } from "./record.ts";
import type { GroupRecord } from "./schema.ts";

/** What an invite says. */
export interface Invite {
  /** The group's id, name and address; the group that answers there must be this one. */
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** The group's key; empty where only the id is told, which is made from it. */
  readonly key: string;
  readonly token: string;
  /** When the token expires, ms since 1970. */
  readonly until: number;
  /** `HOST:PORT#KEY` of a registry that lists the group, or empty. */
  readonly registry: string;
}

export const INVITE_SCHEME = "zgroup://";

/**
 * `zgroup://HOST:PORT/NAME/ID/TOKEN/UNTIL/CHECK`, with `/REGISTRY/KEY` before the check where there is
 * one: of letters, digits and `:/.-_%` alone, so that no shell takes a part of it for itself.
 */
export function encodeInvite({ id, name, address, token, until, registry }: Invite): string {
  const { address: at, key } = splitRegistry(registry) ?? {};
  const said = [
    INVITE_SCHEME + hostText(address),
    encodeURIComponent(name).replace(/[!'()*~]/g, escaped),
    Buffer.from(id.replaceAll("-", ""), "hex").toString("base64url"),
    token,
    until.toString(36),
    ...(at !== undefined && key !== undefined ? [hostText(at), key] : []),
  ].join("/");
  return `${said}/${checkOf(said)}`;
}

/** Whoever copies a link loses or changes a part of it by mistake: 32 bits tell. */
function checkOf(said: string): string {
  return sha256(said).slice(0, 8);
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** What stands for the brackets of an IPv6 address, which shells read as a pattern. */
const IPV6 = ".ip6";

/** `HOST:PORT` without brackets: `[2001:db8::1]:5560` is `2001-db8--1.ip6:5560`. */
function hostText(address: string): string {
  const { host, port } = parseAddress(address)!;
  return host.includes(":") ? `${host.replaceAll(":", "-")}${IPV6}:${port}` : address;
}

function addressOf(text: string): string {
  const [, host, port] = /^([0-9a-f.-]+)\.ip6:(\d+)$/i.exec(text) ?? [];
  if (host === undefined) return text;
  return formatAddress({ host: host.replaceAll("-", ":"), port: Number(port) });
}

/** True if the text is meant as an invite. */
export function looksLikeInvite(text: string): boolean {
  return text.startsWith(INVITE_SCHEME);
}

/** What an invite says; undefined when it is not a whole one. */
export function parseInvite(text: string): Invite | undefined {
  const link = text.trim();
  if (link.includes("?")) return parseFormer(link);
  if (!looksLikeInvite(link) || link.length > MAX_LINK) return undefined;
  const end = link.lastIndexOf("/");
  if (checkOf(link.slice(0, end)) !== link.slice(end + 1)) return undefined;
  const parts = link.slice(INVITE_SCHEME.length, end).split("/");
  if (parts.length !== 5 && parts.length !== 7) return undefined;
  const [at, named, hash, token, time, registryAt, registryKey] = parts;
  const registry = registryAt === undefined ? "" : `${addressOf(registryAt)}#${registryKey}`;
  const until = /^[0-9a-z]{1,11}$/.test(time) ? parseInt(time, 36) : -1;
  return checked({
    ...{ id: uuidOf(hash), name: decoded(named), address: addressOf(at), key: "" },
    ...{ token, until, registry },
  });
}

/** Longest link that is read, UTF-16 units. */
const MAX_LINK = 4_096;

/**
 * The form that earlier versions wrote, with the group's signed record:
 * `zgroup://HOST:PORT/NAME?key=…&nonce=…&access=…&version=…&expires=…&sig=…&token=…&until=…`
 */
function parseFormer(link: string): Invite | undefined {
  const [, address, named, text] = /^zgroup:\/\/([^/]+)\/([^?]+)\?(.+)$/.exec(link) ?? [];
  if (address === undefined) return undefined;
  const query = new URLSearchParams(text);
  const part = (name: string) => query.get(name) ?? "";
  const whole = (name: string) => /^\d{1,16}$/.test(part(name)) ? Number(part(name)) : -1;
  const [name, key, nonce] = [decoded(named), part("key"), part("nonce")];
  const record = {
    ...{ id: groupId(key, name, nonce), name, access: part("access") as GroupRecord["access"] },
    ...{ address, key, nonce, version: whole("version"), expires: whole("expires") },
    ...(query.has("server") ? { server: part("server") } : {}),
    sig: part("sig"),
  };
  // It may have expired, since who the group is stays true.
  if (nameProblem(name) || recordSignatureProblem(record)) return undefined;
  const { id } = record;
  const [token, until, registry] = [part("token"), whole("until"), part("registry")];
  return checked({ id, name, address, key, token, until, registry });
}

function checked(invite: Invite): Invite | undefined {
  const { id, name, address, token, until, registry } = invite;
  const good = isUuid(id) && !nameProblem(name) && isNetworkAddress(address) &&
    /^[A-Za-z0-9_-]{16,64}$/.test(token) && Number.isSafeInteger(until) && until >= 0 &&
    (registry === "" || splitRegistry(registry)?.key !== undefined);
  return good ? invite : undefined;
}

/** Empty where it is not whole. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** The UUID of 16 bytes in base64url; empty where they are none. */
function uuidOf(text: string): string {
  const hex = Buffer.from(text, "base64url").toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
