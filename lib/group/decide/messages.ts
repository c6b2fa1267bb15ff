/** What is sent. Pure. */

import { counted } from "../../text/counted.ts";
import { Refusal } from "../../errors.ts";
import { midTime } from "../../identity/ids.ts";
import type { Places } from "../../log/log.ts";
import { type Batch, messageHash } from "../../protocol/batch.ts";
import { MAX_BATCH_BYTES, MID_AHEAD } from "../../protocol/limits.ts";
import type { Known, Reply } from "../request.ts";
import type { Actor, Draft, GroupState } from "../state.ts";
import { authorOf, type Decide, requireMember } from "./decision.ts";

/** Where messages stand: `count` of them from seq `from` on, in the order of the request. */
type Run = Reply<"send">["accepted"][number];

/** Drafts to append, and for each message of the request its run or the draft that gives it one. */
interface Plan {
  readonly drafts: readonly Draft[];
  readonly runs: readonly ({ readonly draft: number } | Run)[];
}

/**
 * The mids of a request that might be in the log already, in lists that are looked up each alone.
 *
 * Where one might, all of the request are in its list: they tell how far its batch would reach.
 */
export function suspects(state: GroupState, { actor, messages, after }: Known<"send">): string[][] {
  const last = state.lastMid.get(actor.user);
  if (last === undefined) return [];
  const own: string[] = messages[0][0] > last ? [] : messages.map(([mid]) => mid);
  const before = after === undefined || after >= last ? [] : [after];
  return [before, own].filter(({ length }) => length > 0);
}

/**
 * The entries that put a request's messages into the log, without those that are in it.
 *
 * Refuses `too_large`, `forbidden` to readers, `muted`, `out_of_order`, and `bad_request` for an id
 * of tomorrow.
 */
export const decideSend: Decide<"send"> = (state, request, seen, now) => {
  const { actor, messages, after, size } = request;
  if (size > MAX_BATCH_BYTES) {
    const message = `Cannot send: the request is above ${MAX_BATCH_BYTES} bytes, split it`;
    throw new Refusal("too_large", message);
  }
  requireVoice(state, actor, now);
  requireAccepted(state, actor, after, seen);
  // A clock that was set back must not refuse what it would have taken before.
  if (midTime(messages[messages.length - 1][0]) > Math.max(state.at, now) + MID_AHEAD) {
    throw new Refusal(
      "bad_request",
      "Cannot send: the message id lies more than a day ahead of the group's clock; set your clock",
    );
  }
  const { epoch } = state;
  const { drafts, runs } = plan(request, seen);
  return {
    drafts,
    reply: (placed) => ({ epoch, accepted: runs.map((run) => toRun(run, placed)) }),
  };
};

/** How long a mute goes on, where it ends by itself. */
function stillFor(until: number, now: number): string {
  if (until === 0) return "";
  const minutes = Math.ceil((until - now) / 60_000);
  return `, for ${
    minutes < 120 ? counted(minutes, "minute") : counted(Math.ceil(minutes / 60), "hour")
  } more`;
}

function requireVoice(state: GroupState, { user }: Actor, now: number): void {
  if (requireMember(state, user).role === "reader") {
    throw new Refusal(
      "forbidden",
      `Cannot send to "${state.name}": you are a reader; ask an admin to promote you`,
    );
  }
  const until = state.values.mutedUntil(user, now);
  if (until === undefined) return;
  throw new Refusal(
    "muted",
    `Cannot send to "${state.name}": an admin has muted you${stillFor(until, now)}`,
  );
}

/** What was sent behind a request that was refused does not overtake it. */
function requireAccepted(
  state: GroupState,
  { user }: Actor,
  after: string | undefined,
  seen: Places,
): void {
  if (after === undefined || state.lastMid.get(user) === after || seen.has(after)) return;
  throw new Refusal(
    "out_of_order",
    "Cannot send: the request before this one was not accepted; send that first",
  );
}

function plan({ actor, messages, sig }: Known<"send">, seen: Places): Plan {
  const author = authorOf(actor);
  const signed = sig ? { sig } : {};
  if (seen.size === 0 || !messages.some(([mid]) => seen.has(mid))) {
    const draft = { count: messages.length, kind: "message", ...author, ...signed, messages };
    return { drafts: [draft as Draft], runs: [{ draft: 0 }] };
  }
  // Each stretch of messages that are not in the log becomes a draft of its own.
  const hashes = sig ? messages.map(messageHash) : undefined;
  const drafts: Draft[] = [];
  const runs: ({ draft: number } | Run)[] = [];
  for (let i = 0; i < messages.length;) {
    const place = seen.get(messages[i][0]);
    if (place) {
      runs.push({ from: place.seq, count: 1, at: place.at, duplicate: true });
      i++;
      continue;
    }
    const offset = i;
    while (i < messages.length && !seen.has(messages[i][0])) i++;
    runs.push({ draft: drafts.length });
    drafts.push({
      count: i - offset,
      kind: "message",
      ...author,
      ...signed,
      ...(hashes ? { part: { offset, hashes } } : {}),
      messages: messages.slice(offset, i),
    });
  }
  return { drafts, runs };
}

function toRun(run: Plan["runs"][number], placed: readonly Batch[]): Run {
  if (!("draft" in run)) return run;
  const { first, count, at } = placed[run.draft];
  return { from: first, count, at };
}
