/** Binding an address: tried for a moment, and why it fails as a person says it. */

import { Refusal } from "../errors.ts";
import { pause } from "./waiting.ts";

/** A socket closed a moment ago may hold its address for a while, ms. */
const RETRY_FOR_MS = 300;

/** Reasons by the system's code; an engine may have others. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use; choose another port",
  EADDRNOTAVAIL: "this machine has no such address; choose one of its own",
  ENODEV: "this machine has no such address; choose one of its own",
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
  const kind = code === "EADDRINUSE" ? "address_taken" : "bad_request";
  return new Refusal(kind, `Cannot bind ${address}: ${reason}`, { cause });
}

/** The system's code of an error. */
export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}
