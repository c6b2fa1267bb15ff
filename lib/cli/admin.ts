/** What admins do, as both screens take it: the table, and words to actions. Pure. */

import { UsageError } from "../errors.ts";
import { parseDuration } from "../text/time.ts";
import { type Given, type Options, wholeNumber } from "./args.ts";
import { safeLine } from "../text/filter.ts";
import type { Action, InviteTerms, Role } from "./ports.ts";

/** Options of `invite` and of the actions. */
export const ADMIN_OPTIONS: Options = {
  uses: { type: "text", value: "N", help: "invite: how many may use it, default 1" },
  for: { type: "text", value: "TIME", help: "invite, mute: how long, like 1h or 7d" },
  role: { type: "text", value: "ROLE", help: "invite: reader, member or admin; default member" },
  qr: { type: "flag", help: "invite: also as a QR code" },
};

/** One action on a member. */
export interface Deed {
  readonly name: Action["action"];
  readonly usage: string;
  readonly help: string;
  readonly takes: "role" | "time" | "nothing";
}

/** Every action on a member, in the order of help. */
export const DEEDS: readonly Deed[] = [
  { name: "promote", usage: "G USER [ROLE]", help: "give a higher role", takes: "role" },
  { name: "demote", usage: "G USER [ROLE]", help: "give a lower role", takes: "role" },
  { name: "remove", usage: "G USER", help: "end a membership", takes: "nothing" },
  { name: "ban", usage: "G USER", help: "end a membership for good", takes: "nothing" },
  { name: "unban", usage: "G USER", help: "let somebody join again", takes: "nothing" },
  { name: "mute", usage: "G USER [--for TIME]", help: "let somebody only read", takes: "time" },
  { name: "unmute", usage: "G USER", help: "let somebody send again", takes: "nothing" },
];

/** The action of a user and, where it takes one, a role. @throws {UsageError} */
export function actionOf(deed: Deed, [user, role, extra]: readonly string[], given: Given): Action {
  const { name, usage, takes } = deed;
  if (!user) throw new UsageError(`Cannot ${name}: expected ${name} ${usage}`);
  const surplus = takes === "role" ? extra : role;
  if (surplus !== undefined) {
    const one = safeLine(surplus);
    throw new UsageError(
      `Cannot use "${one}": it is one word too many (a name with spaces needs quotes)`,
    );
  }
  const time = takes === "time" ? given.texts.get("for") : undefined;
  return {
    action: name,
    user,
    ...(role === undefined ? {} : { role: roleOf(role) }),
    ...(time === undefined ? {} : { for: parseDuration(time) }),
  };
}

/** What an invite is to be. @throws {UsageError} */
export function termsOf({ texts }: Given): InviteTerms {
  const [uses, time, role] = [texts.get("uses"), texts.get("for"), texts.get("role")];
  return {
    ...(uses === undefined ? {} : { uses: wholeNumber("--uses", uses, 1, 1_000_000) }),
    ...(time === undefined ? {} : { for: parseDuration(time) }),
    ...(role === undefined ? {} : { role: roleOf(role) }),
  };
}

function roleOf(typed: string): Role {
  if (typed === "reader" || typed === "member" || typed === "admin") return typed;
  throw new UsageError(`Cannot use the role ${safeLine(typed)}: expected reader, member or admin`);
}
