/** Binding an address: tried for a moment, and why it fails as a person says it. */

import { Refusal } from "../errors.ts";
import { namedAddresses } from "./own_addresses.ts";
import { pause } from "./waiting.ts";

/** A socket closed a moment ago may hold its address for a while, ms. */
const RETRY_FOR_MS = 300;

/** The reason that is told with the addresses there are. */
export const NOT_HERE = "this machine has no such address";

/** Reasons by the system's code; an engine may have others. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use; choose another port",
  EADDRNOTAVAIL: NOT_HERE,
  ENODEV: NOT_HERE,
  EACCES: "ports below 1024 need more rights; choose another port",
  EPERM: "ports below 1024 need more rights; choose another port",
};

/** What `bind` gives, which is tried again for a moment while the address is in use. */
export async function bindWithRetries<T>(bind: () => T | Promise<T>): Promise<T> {
  const end = performance.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      return await bind();
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE" || performance.now() > end) throw error;
    }
    await pause(10);
  }
}

/** A {@linkcode Refusal} that says why an address cannot be bound; the cause itself where nobody knows. */
export function bindError(
  address: string,
  cause: unknown,
  own: Readonly<Record<string, string>>,
): unknown {
  const code = codeOf(cause) ?? "";
  const reason = own[code] ?? REASONS[code];
  if (!reason) return cause;
  if (reason === NOT_HERE) {
    const own = namedAddresses();
    const wayOut = own ? `it has ${own}, and 127.0.0.1 for itself` : "choose one of its own";
    return new Refusal("bad_request", `Cannot bind ${address}: ${NOT_HERE}; ${wayOut}`, { cause });
  }
  const kind = code === "EADDRINUSE" ? "address_taken" : "bad_request";
  return new Refusal(kind, `Cannot bind ${address}: ${reason}`, { cause });
}

/** The system's code of an error. */
export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}
