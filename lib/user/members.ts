/** Who is in a group, and whom a name means. */

import { Refusal } from "../errors.ts";
import { isUuid } from "../identity/ids.ts";
import type { Link } from "./link.ts";
import type { MemberInfo } from "./types.ts";

/** Members, whom an admin sees as banned, and the topic, which comes with them. */
interface Members {
  readonly members: MemberInfo[];
  readonly banned: { user: string; name: string }[];
  topic: string;
}

/** Every page of `members`. @throws {Refusal} `not_member`; {Unreachable} */
export async function readMembers(link: Link): Promise<Members> {
  const all: Members = { members: [], banned: [], topic: "" };
  for (let after = "";;) {
    const { members, banned = [], topic, more } = await link.ask("members", { after });
    all.members.push(...members);
    all.banned.push(...banned);
    all.topic = topic;
    const last = members.at(-1)?.user ?? "";
    // A page that goes back would never end.
    if (!more || last <= after) return all;
    after = last;
  }
}

/** The user id that a name or id means; an id need not be a member's. @throws {Refusal} `not_found` */
export async function findUser(link: Link, who: string): Promise<string> {
  if (isUuid(who)) return who;
  const { members, banned } = await readMembers(link);
  const same = [...members, ...banned].filter(({ user, name }) => user === who || name === who);
  if (same.length === 1) return same[0].user;
  const problem = same.length === 0
    ? `no member of ${link.target.name} has this name`
    : "several have this name";
  throw new Refusal("not_found", `Cannot find "${who}": ${problem}; members shows the ids`);
}
