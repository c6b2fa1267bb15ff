/** The addresses of this machine, as its system lists them. */

import { networkInterfaces } from "node:os";

/** Most that are named in a sentence. */
const NAMED = 4;

/** Addresses that need no zone, those that others can reach first; empty where the system does not tell. */
export function allAddresses(): string[] {
  return [...new Set([...addresses(false), ...addresses(true)])];
}

/** Those that other machines can reach this one by; IPv4 first. */
export function ownAddresses(): string[] {
  return addresses(false);
}

/** Those, as a sentence names them: `10.0.0.7 or 192.168.3.97`; undefined where there are none. */
export function namedAddresses(): string | undefined {
  const own = ownAddresses().slice(0, NAMED);
  if (own.length < 2) return own[0];
  return `${own.slice(0, -1).join(", ")} or ${own.at(-1)}`;
}

function addresses(internal: boolean): string[] {
  try {
    return Object.values(networkInterfaces()).flatMap((all) => all ?? [])
      .filter((one) => one.internal === internal && !/^fe80:|%/i.test(one.address))
      .sort((a, b) => a.family < b.family ? -1 : a.family > b.family ? 1 : 0)
      .map(({ address }) => address.toLowerCase());
  } catch {
    return []; // Deno without --allow-sys.
  }
}
