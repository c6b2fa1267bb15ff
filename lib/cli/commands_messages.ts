/** Commands of the prompt that read and send: get_messages, send_message. */

import { UsageError } from "../errors.ts";
import { parseTime } from "../text/time.ts";
import { joined } from "./commands_membership.ts";
import type { JoinedGroup } from "./ports.ts";
import type { Session } from "./session.ts";
import { takeTarget } from "./targets.ts";

/** Most entries that are shown without a TIME. */
const SHOWN = 100;

/** `get_messages [G] [TIME]`: without TIME the last hundred for a person, all for a script. */
export async function getMessages(session: Session, rest: string): Promise<void> {
  const { group, since } = what(session, rest);
  const few = since === undefined && session.screen.live;
  const range = since === undefined ? (few ? { limit: SHOWN, last: true } : {}) : { since };
  let count = 0;
  let first = 0;
  for await (const entry of session.user.read(group.id, range)) {
    if (count++ === 0) first = entry.seq;
    if (count === 1 && few && first > 1) {
      session.say(`the last ${SHOWN} of ${group.name}; get_messages G TIME shows older ones`);
    }
    session.screen.print(session.line(group, entry));
  }
  if (count === 0) session.say(`${group.name} has no messages${since ? " since then" : ""}`);
}

function what(session: Session, rest: string): { group: JoinedGroup; since?: number } {
  const taken = takeTarget(rest, session.known);
  const { current } = session;
  if (!taken && !current) {
    throw new UsageError("Cannot read: expected a group, get_messages NAME or IP:PORT");
  }
  if (!taken) return { group: current! };
  if (current && !session.known.names.includes(taken.target)) {
    // A TIME alone is one of the current group.
    try {
      return { group: current, since: parseTime(rest) };
    } catch {
      // No TIME: a group, which the next line looks for.
    }
  }
  const group = joined(session, taken.target);
  return taken.rest === "" ? { group } : { group, since: parseTime(taken.rest) };
}

/** `send_message G [TEXT]`. */
export async function sendMessage(session: Session, rest: string): Promise<void> {
  const taken = takeTarget(rest, session.known);
  if (!taken) throw new UsageError("Cannot send: expected a group, send_message G [TEXT]");
  const group = joined(session, taken.target);
  const text = taken.rest === "" ? await linesUpToEnd(session) : taken.rest;
  if (text === undefined) return session.say("nothing was sent");
  if (text.trim() === "") throw new UsageError("Cannot send the message: it is empty");
  if (await session.send(group, text)) session.succeed();
}

/** Lines until `END` alone on one; undefined when the input ends or Ctrl-C stops it. */
async function linesUpToEnd(session: Session): Promise<string | undefined> {
  if (session.screen.live) session.say("type the message, then END on a line of its own");
  const lines: string[] = [];
  for (;;) {
    const line = await session.screen.nextLine("… ");
    if (line === undefined) return session.screen.live ? undefined : lines.join("\n") || undefined;
    if (line.trim() === "END") return lines.join("\n");
    lines.push(line);
  }
}
