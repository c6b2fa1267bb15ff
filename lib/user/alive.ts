/** Signs of life between a user and a group. */

import { PRESENT_FOR } from "../protocol/limits.ts";
import type { Link } from "./link.ts";

/** A sign of life that takes longer than this is none, ms. */
const PATIENCE = 3_000;

/**
 * Asks for a sign of life every five seconds: the members see that we are here, and we that the
 * group is. One that does not answer is asked by the link's own waits, so that its return is seen.
 * Answers how to end that.
 *
 * @param watchful the transport sees by itself that the other side is there: then a live feed is
 * sign enough
 */
export function keepAlive(link: Link, watchful: boolean): () => void {
  let asking = false;
  const timer = setInterval(async () => {
    if (asking || (watchful && link.feed.isFresh)) return;
    asking = true;
    await ping(link, link.state === "live" ? PATIENCE : Infinity);
    asking = false;
  }, PRESENT_FOR / 3);
  return () => clearInterval(timer);
}

/** Learns how far the log goes, if the group answers within so many ms. */
export async function ping(link: Link, within: number): Promise<void> {
  try {
    const { epoch, head } = await link.ask("ping", {}, { within });
    link.know(epoch, head);
  } catch {
    // The link's state tells.
  }
}
