/** What a user can find out about the servers it talks to. */

import { BadReply, IdentityChanged, sentence, Unreachable } from "../errors.ts";
import type { Link } from "./link.ts";
import type { RegistryLink } from "./registry_link.ts";
import type { ServerFound } from "./types.ts";

/** How long a server has to answer, ms. */
const WITHIN = 3_000;

/** Asks a registry. Never rejects. */
export function askRegistry(registry: RegistryLink): Promise<ServerFound> {
  const ping = () => registry.request("ping", {}, WITHIN);
  return found("registry", registry.address, ping, () => registry.key);
}

/** Asks a group. Never rejects. */
export function askGroup(link: Link): Promise<ServerFound> {
  const { name, address } = link.target;
  return found(name, address, () => link.ping(WITHIN), () => link.target.key);
}

async function found(
  what: string,
  address: string,
  ping: () => Promise<{ readonly at: number }>,
  key: () => string | undefined,
): Promise<ServerFound> {
  const sent = Date.now();
  const begin = performance.now();
  try {
    const { at } = await ping();
    const took = performance.now() - begin;
    const proved = key();
    return { what, address, took, ahead: at - (sent + took / 2), ...(proved && { key: proved }) };
  } catch (error) {
    const took = performance.now() - begin;
    const another = error instanceof IdentityChanged || error instanceof BadReply;
    const why = error instanceof Unreachable ? "silent" : another ? "another" : "unusable";
    return { what, address, took, ahead: 0, problem: sentence(error), why };
  }
}
