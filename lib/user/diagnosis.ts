/** What a user can find out about the servers it talks to. */

import { BadReply, Foreign, IdentityChanged, sentence, Unreachable } from "../errors.ts";
import type { Link } from "./link.ts";
import type { RegistryLink } from "./registry_link.ts";
import type { ServerFound } from "./types.ts";

/** How long a server has to answer, ms. */
const WITHIN = 3_000;

/** Asks a registry. Never rejects. */
export function askRegistry(registry: RegistryLink): Promise<ServerFound> {
  return found("registry", () => registry, () => registry.request("ping", {}, WITHIN));
}

/** Asks a group. Never rejects. */
export function askGroup(link: Link): Promise<ServerFound> {
  return found(link.target.name, () => link.target, () => link.ping(WITHIN));
}

async function found(
  what: string,
  server: () => { readonly address: string; readonly key: string | undefined },
  ping: () => Promise<{ readonly at: number }>,
): Promise<ServerFound> {
  const { address } = server();
  const sent = Date.now();
  const begin = performance.now();
  try {
    const { at } = await ping();
    const took = performance.now() - begin;
    const { key } = server(); // Proved by now.
    return { what, address, took, ahead: at - (sent + took / 2), ...(key && { key }) };
  } catch (error) {
    const took = performance.now() - begin;
    const another = error instanceof IdentityChanged || error instanceof BadReply;
    const silent = error instanceof Unreachable && !(error instanceof Foreign);
    const why = silent ? "silent" : another ? "another" : "unusable";
    return { what, address, took, ahead: 0, problem: sentence(error), why };
  }
}
