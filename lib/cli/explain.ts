/** What went wrong, with the way out. */

import { BadReply, IdentityChanged, Refusal, sentence, Unreachable } from "../errors.ts";
import { typedName } from "./render.ts";

/** The words of a screen: the prompt says `join_group`, the command line `join`. */
export interface Words {
  readonly join: string;
  readonly list: string;
}

/** The words of the prompt. */
export const PROMPT_WORDS: Words = { join: "join_group", list: "list_groups" };

/** The words of the command line. */
export const COMMAND_WORDS: Words = { join: "user.ts join", list: "user.ts list" };

/** The same about a message: one that no group has refused is in the outbox. */
export function explainSend(error: unknown, words: Words, target?: string): string {
  const said = explain(error, words, target);
  const kept = error instanceof IdentityChanged || error instanceof BadReply;
  return kept ? `${said}; the message is kept for the group that you know` : said;
}

/** The sentence of an error, with what to do next where the sentence does not say it. */
export function explain(error: unknown, { join, list }: Words, target?: string): string {
  const said = sentence(error).replace(/\.$/, "");
  if (error instanceof Unreachable) {
    return /kept|is it (running|zgroup)/.test(said)
      ? said
      : `${said}; check that it runs and try again`;
  }
  if (error instanceof IdentityChanged) return `${said}; ask its owner whether it was set up anew`;
  if (!(error instanceof Refusal)) return said;
  switch (error.code) {
    case "not_member":
      return target === undefined
        ? `${said}; ${join} G does that`
        : `You are not a member of "${target}": ${join} ${typedName(target)} first`;
    case "not_found":
      if (said.includes("list_groups")) return said.replace("list_groups", list);
      // Users and invites are not found either.
      return /^Cannot \w+ (the|that) group/.test(said)
        ? `${said}; ${list} shows the groups there are`
        : said;
    case "rate_limited":
    case "busy":
      return `${said}; wait a moment and send again`;
    case "too_large":
      return `${said}; send it in parts`;
    default:
      return said;
  }
}
