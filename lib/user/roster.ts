/** Who is in a group, and whom a name means. */

import { Refusal } from "../errors.ts";
import { isUuid } from "../protocol/names.ts";
import type { Link } from "./link.ts";
import type { MemberInfo } from "./types.ts";

/** Members, and whom an admin sees as banned. */
export interface Roster {
  readonly members: MemberInfo[];
  readonly banned: { user: string; name: string }[];
  topic: string;
}

/** Every page of `members`. @throws {Refusal} `not_member`; {Unreachable} */
export async function readRoster(link: Link): Promise<Roster> {
  const roster: Roster = { members: [], banned: [], topic: "" };
  for (let after = "";;) {
    const page = await link.ask("members", { after });
    const some = page.members as MemberInfo[];
    roster.members.push(...some);
    roster.banned.push(...(page.banned ?? []) as Roster["banned"]);
    roster.topic = String(page.topic ?? "");
    if (!page.more || some.length === 0) return roster;
    after = some[some.length - 1].user;
  }
}

/** The user id that a name or id means; an id need not be a member's. @throws {Refusal} `not_found` */
export async function findUser(link: Link, who: string): Promise<string> {
  if (isUuid(who)) return who;
  const { members, banned } = await readRoster(link);
  const same = [...members, ...banned].filter(({ user, name }) => user === who || name === who);
  if (same.length === 1) return same[0].user;
  const problem = same.length === 0 ? "no member has this name" : "several have this name";
  throw new Refusal("not_found", `Cannot find "${who}": ${problem}; members shows the ids`);
}
