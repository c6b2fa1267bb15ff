/** What a user can find out about the servers it talks to. */

import { sentence } from "../errors.ts";
import type { Requester } from "../transport/requester.ts";
import type { Link } from "./link.ts";

/** What was found about one server. */
export interface ServerFound {
  /** What it is to a person: `registry`, or a group's name. */
  readonly what: string;
  readonly address: string;
  /** Why it cannot be used; absent when it answered. */
  readonly problem?: string;
  /** How long the answer took, ms. */
  readonly took: number;
  /** Its clock less ours, ms; 0 when unknown. */
  readonly ahead: number;
}

const WITHIN = 3_000;

/** Asks a registry. Never rejects. */
export function askRegistry(registry: Requester): Promise<ServerFound> {
  return found("registry", registry.address, () => registry.request("ping", {}, WITHIN));
}

/** Asks a group. Never rejects. */
export function askGroup(link: Link): Promise<ServerFound> {
  const { name, address } = link.target;
  return found(name, address, () => link.ask("ping", {}, { within: WITHIN }));
}

async function found(
  what: string,
  address: string,
  ping: () => Promise<Record<string, unknown>>,
): Promise<ServerFound> {
  const sent = Date.now();
  const begin = performance.now();
  try {
    const { at } = await ping();
    const took = performance.now() - begin;
    const ahead = typeof at === "number" ? at - (sent + took / 2) : 0;
    return { what, address, took, ahead };
  } catch (error) {
    return { what, address, took: performance.now() - begin, ahead: 0, problem: sentence(error) };
  }
}
