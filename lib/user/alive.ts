/** Signs of life between a user and a group. */

import { PRESENT_FOR } from "../protocol/limits.ts";
import type { LiveFeed } from "./feed.ts";
import type { Link, LinkState } from "./link.ts";

/** A sign of life that takes longer than this is none, ms. */
const PATIENCE = 3_000;
/**
 * Every so many times it is asked for whatever comes: a server whose engine does not see that we are
 * connected takes us for gone when it has heard nothing for 60 s.
 */
const ANYWAY = 8;

/** What a sign of life is asked of. */
export type Asked = Pick<Link, "ask" | "know">;

/**
 * Asks for a sign of life every five seconds: the members see that we are here, and we that the
 * group is. One that does not answer is asked by the link's own waits, so that its return is seen.
 * Answers how to end that.
 *
 * @param watchful the transport sees by itself that the other side is there: then a live feed is
 * sign enough, most of the time
 */
export function keepAlive(
  link: Asked & { readonly state: LinkState; readonly feed: Pick<LiveFeed, "isFresh"> },
  watchful: boolean,
  every: number = PRESENT_FOR / 3,
): () => void {
  let asking = false;
  let times = 0;
  const timer = setInterval(async () => {
    times++;
    if (asking || (watchful && link.feed.isFresh && times % ANYWAY !== 0)) return;
    asking = true;
    await ping(link, link.state === "live" ? PATIENCE : Infinity);
    asking = false;
  }, every);
  return () => clearInterval(timer);
}

/** Learns how far the log goes, if the group answers within so many ms. */
export async function ping(link: Asked, within: number): Promise<void> {
  try {
    const { epoch, head } = await link.ask("ping", {}, { within });
    link.know(epoch, head);
  } catch {
    // The link's state tells.
  }
}
