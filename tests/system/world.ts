/** What the system tests share: folders that go away, ports, engines. */

import { parseAddress, splitRegistry } from "../../lib/text/addresses.ts";

export { Folder } from "../support/folder.ts";

/** `HOST:PORT` of `HOST:PORT#KEY`, for who knows no keys. */
export function bare(address: string): string {
  return splitRegistry(address)!.address;
}

/** The port of `HOST:PORT` or `HOST:PORT#KEY`. */
export function portOf(address: string): number {
  return parseAddress(bare(address))!.port;
}

/** Which engine servers run on, and which users: each alone, and mixed. */
export interface Engines {
  readonly servers: "zmtp" | "libzmq";
  readonly users: "zmtp" | "libzmq";
}

/** Ours first: what runs over it alone runs over this one. */
export const ENGINES: readonly Engines[] = [
  { servers: "zmtp", users: "zmtp" },
  { servers: "libzmq", users: "libzmq" },
  { servers: "zmtp", users: "libzmq" },
  { servers: "libzmq", users: "zmtp" },
];

/** Behind the name of a test; empty for ours. */
export function over({ servers, users }: Engines): string {
  if (servers === users) return servers === "zmtp" ? "" : ` (over ${servers})`;
  return ` (servers over ${servers}, users over ${users})`;
}
