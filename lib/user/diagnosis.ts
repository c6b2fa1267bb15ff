/** What a user can find out about the servers it talks to. */

import { BadReply, IdentityChanged, sentence, Unreachable } from "../errors.ts";
import type { Link } from "./link.ts";
import type { RegistryPort } from "./registry.ts";

/** What was found about one server. */
export interface ServerFound {
  /** What it is to a person: `registry`, or a group's name. */
  readonly what: string;
  readonly address: string;
  /** Why it cannot be used; absent when it answered. */
  readonly problem?: string;
  /** With a problem: nobody answers, another one does, or it cannot be asked from here. */
  readonly why?: "silent" | "another" | "unusable";
  /** How long the answer took, ms. */
  readonly took: number;
  /** Its clock less ours, ms; 0 when unknown. */
  readonly ahead: number;
  /** The public key that it proved; absent when it did not answer. */
  readonly key?: string;
}

const WITHIN = 3_000;

/** Asks a registry. Never rejects. */
export function askRegistry(registry: RegistryPort): Promise<ServerFound> {
  const ping = () => registry.request("ping", {}, WITHIN);
  return found("registry", registry.address, ping, () => registry.key);
}

/** Asks a group. Never rejects. */
export function askGroup(link: Link): Promise<ServerFound> {
  const { name, address } = link.target;
  const ping = () => link.ask("ping", {}, { within: WITHIN });
  return found(name, address, ping, () => link.target.key);
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
    return { what, address, took, ahead: 0, problem: sentence(error), why: whyOf(error) };
  }
}

function whyOf(error: unknown): ServerFound["why"] {
  if (error instanceof Unreachable) return "silent";
  return error instanceof IdentityChanged || error instanceof BadReply ? "another" : "unusable";
}
