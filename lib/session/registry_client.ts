/** A client of a registry: anonymous, and sure that it is the registry it was before. */

import { BadReply, IdentityChanged } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import { isOwnOnly, parseAddress, type RegistryAddress } from "../text/addresses.ts";
import { REGISTRY_REPLIES, type ReplyOf } from "../protocol/schema.ts";
import type { Transport } from "../transport/transport.ts";
import { SessionClient } from "./client.ts";

/** Which key each registry had at its first use, by `HOST:PORT`; a `Map` ends with the program. */
export interface Pins {
  get(address: string): string | undefined;
  set(address: string, key: string): void;
}

/** What can be asked of a registry. */
export type RegistryOp = keyof typeof REGISTRY_REPLIES;
/** What a registry answers to an op. */
export type RegistryReply<K extends RegistryOp> = ReplyOf<typeof REGISTRY_REPLIES, K>;
/** See {@linkcode registryClient}. */
export type RegistryClient = SessionClient<typeof REGISTRY_REPLIES>;

interface RegistryClientOptions extends RegistryAddress {
  readonly transport: Transport;
  readonly pins: Pins;
  /** What a person does who means another key: "run trust HOST:PORT". */
  readonly wayOut: string;
  /** For sentences; default `the registry`. */
  readonly what?: string;
}

/**
 * A session with the registry at `address`. Its key must be the one given, else the one pinned, else
 * it is pinned now. Every request is refused with {@linkcode IdentityChanged} when it is another,
 * with {@linkcode BadReply} when something else answers there.
 */
export function registryClient(options: RegistryClientOptions): RegistryClient {
  const { transport, address, key, pins, wayOut, what = "the registry" } = options;
  return new SessionClient({
    transport,
    address,
    what,
    absent: absentAt(address),
    replies: REGISTRY_REPLIES,
    check(identity) {
      if (!("registry" in identity)) {
        throw new BadReply(`Cannot use ${what} at ${address}: what answers there is a group`);
      }
      const found = identity.registry.key;
      const pinned = pins.get(address);
      const expected = key ?? pinned;
      if (expected !== undefined && expected !== found) {
        const message = `Cannot use ${what} at ${address}: ITS KEY HAS CHANGED from ` +
          `${shortKey(expected)} to ${shortKey(found)}, so another may have taken its place; ` +
          `if this is meant, ${wayOut}`;
        throw new IdentityChanged(address, message);
      }
      if (pinned !== found) pins.set(address, found);
    },
  });
}

/** What to do where no registry listens: it is elsewhere, or does not listen for others. */
function absentAt(address: string): string {
  const { host = "" } = parseAddress(address) ?? {};
  return isOwnOnly(host)
    ? "is it running? One on another machine is named with --registry HOST:PORT"
    : `is it running, and started for others: registry.ts --host ${host}?`;
}
