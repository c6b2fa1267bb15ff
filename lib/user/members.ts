/** Who is in a group, and whom a name means. */

import { Refusal } from "../errors.ts";
import { isUuid } from "../identity/ids.ts";
import type { GroupReply, Link } from "./link.ts";
import { allPages } from "./pages.ts";
import type { MemberInfo } from "./types.ts";

/** Members, and whom an admin sees as banned. */
interface Members {
  readonly members: MemberInfo[];
  readonly banned: readonly { user: string; name: string }[];
}

/** Every page of `members`. @throws {Refusal} `not_member`; {Unreachable}; {BadReply} */
export async function readMembers(link: Link): Promise<Members> {
  const all: MemberInfo[] = [];
  let first: GroupReply<"members"> | undefined;
  const { name, address } = link.target;
  const pages = allPages({
    what: `the list of members of the group "${name}" at ${address}`,
    wayOut: "tell its owner, or leave it",
    ask: (after) => link.ask("members", { after }),
    keys: ({ members }) => members.map(({ user }) => user),
  });
  for await (const page of pages) {
    first ??= page;
    all.push(...page.members);
  }
  return { members: all, banned: first?.banned ?? [] };
}

/** What the group is about: it comes with the first of its members. Throws as the others do. */
export async function readTopic(link: Link): Promise<string> {
  return (await link.ask("members", {})).topic;
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
