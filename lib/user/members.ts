/** Who is in a group, and whom a name means. */

import { Refusal } from "../errors.ts";
import { isUuid } from "../identity/ids.ts";
import type { Link } from "./link.ts";
import type { Action, MemberInfo } from "./types.ts";

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
