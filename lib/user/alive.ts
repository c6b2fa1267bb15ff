/** Signs of life between a user and a group. */

import { PRESENT_FOR } from "../protocol/limits.ts";
import type { Link } from "./link.ts";

/**
 * Asks for a sign of life every two seconds: the members see that we are here, and we that the
 * group is. One that does not answer is asked by the link's own waits, so that its return is seen.
 * Answers how to end that.
 */
export function keepAlive(link: Link): () => void {
  let asking = false;
  const timer = setInterval(async () => {
    if (asking) return;
    asking = true;
    await ping(link, link.state === "live" ? PRESENT_FOR / 2 : Infinity);
    asking = false;
  }, PRESENT_FOR / 3);
  return () => clearInterval(timer);
}

/** Learns how far the log goes, if the group answers within so many ms. */
export async function ping(link: Link, within: number): Promise<void> {
  try {
    const { epoch, head } = await link.ask("ping", {}, { within });
    link.know(epoch as string, head as number);
  } catch {
    // The link's state tells.
  }
}
