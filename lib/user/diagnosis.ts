/** What a user can find out about the servers it talks to. */

import {
  BadReply,
  Foreign,
  IdentityChanged,
  sentence,
  UnknownHost,
  Unreachable,
} from "../errors.ts";
import type { Parts } from "./connections.ts";
import { recognize } from "./identity.ts";
import type { Link } from "./link.ts";
import type { RegistryLink } from "./registry_link.ts";
import { whoIsAt } from "./trust.ts";
import type { ServerFound } from "./types.ts";

/** How long a server has to answer, ms. */
const WITHIN = 3_000;

/** Asks every registry and the group of every link. Never rejects. */
export async function diagnose(links: readonly Link[], parts: Parts): Promise<ServerFound[]> {
  const registries = parts.registries.all.map(async (registry) => [await askRegistry(registry)]);
  const groups = links.map((link) => askGroup(link, parts));
  return (await Promise.all([...registries, ...groups])).flat();
}

function askRegistry(registry: RegistryLink): Promise<ServerFound> {
  return found("registry", () => registry, () => registry.request("ping", {}, WITHIN));
}

/** Of several servers each that is known here or listed. */
async function askGroup(link: Link, { transport, registries }: Parts): Promise<ServerFound[]> {
  const { target } = link;
  const listing = await registries.resolve(target.id, target.id).catch(() => undefined);
  const listed = listing?.servers ? [listing, ...listing.servers] : [];
  const all = [target.address, ...target.servers ?? [], ...listed.map(({ address }) => address)];
  const addresses = new Set(all);
  if (addresses.size === 1) {
    return [await found(target.name, () => link.target, () => link.ping(WITHIN))];
  }
  return await Promise.all(
    [...addresses].sort().map(async (address) => ({
      ...await found(target.name, () => ({ ...target, address }), async () => {
        const what = `the group "${target.name}"`;
        recognize({ ...target, address }, await whoIsAt(transport, address, what), []);
        return {};
      }),
      several: true,
    })),
  );
}

async function found(
  what: string,
  server: () => { readonly address: string; readonly key: string | undefined },
  ping: () => Promise<{ readonly at?: number }>,
): Promise<ServerFound> {
  const { address } = server();
  const sent = Date.now();
  const begin = performance.now();
  try {
    const { at } = await ping();
    const took = performance.now() - begin;
    const { key } = server(); // Proved by now.
    const ahead = at === undefined ? 0 : at - (sent + took / 2);
    return { what, address, took, ahead, ...(key && { key }) };
  } catch (error) {
    const took = performance.now() - begin;
    const another = error instanceof IdentityChanged || error instanceof BadReply;
    const clear = error instanceof Foreign || error instanceof UnknownHost;
    const silent = error instanceof Unreachable && !clear;
    const why = silent ? "silent" : another ? "another" : "unusable";
    return { what, address, took, ahead: 0, problem: sentence(error), why };
  }
}
