/** Who is in a group, and whom a name means. */

import { Refusal } from "../errors.ts";
import { isUuid } from "../identity/ids.ts";
import type { GroupReply, Link } from "./link.ts";
import { allPages } from "./pages.ts";
import type { Action, MemberInfo } from "./types.ts";

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

/**
 * An action as the group is asked for it: whom, and to which role, so that asking again does no more
 * than asking once.
 *
 * @throws {Refusal} `not_found` no member, or several, of that name; `bad_request` no further step
 */
export async function toAct(link: Link, action: Action): Promise<Action> {
  if (action.user === undefined) return action;
  const isStep = action.action === "promote" || action.action === "demote";
  const step = isStep && action.role === undefined;
  const known = step || !isUuid(action.user) ? await readMembers(link) : undefined;
  const user = known && !isUuid(action.user) ? findUser(link, action.user, known) : action.user;
  if (!step) return { ...action, user };
  const role = known!.members.find((member) => member.user === user)?.role;
  if (role === undefined) {
    throw new Refusal("not_found", `Cannot ${action.action}: no such member`);
  }
  const next = STEPS[action.action as keyof typeof STEPS][role];
  if (next !== undefined) return { ...action, user, role: next };
  const message = `Cannot ${action.action}: the member is ${role}, there is no step from there`;
  throw new Refusal("bad_request", message);
}

/** From a role to the next one. */
const STEPS: Readonly<
  Record<"promote" | "demote", Readonly<Record<string, NonNullable<Action["role"]> | undefined>>>
> = {
  promote: { reader: "member", member: "admin" },
  demote: { admin: "member", member: "reader" },
};

/** The user id that a name means, or the id of a dialect. @throws {Refusal} `not_found` */
function findUser(link: Link, who: string, { members, banned }: Members): string {
  const same = [...members, ...banned].filter(({ user, name }) => user === who || name === who);
  if (same.length === 1) return same[0].user;
  const problem = same.length === 0
    ? `no member of ${link.target.name} has this name`
    : "several have this name";
  throw new Refusal("not_found", `Cannot find "${who}": ${problem}; members shows the ids`);
}
