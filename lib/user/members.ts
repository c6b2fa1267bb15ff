/** Who is in a group, and whom a name means. */

import { Refusal } from "../errors.ts";
import { isUuid, shortId, splitShortId } from "../identity/ids.ts";
import { skeleton } from "../text/alike.ts";
import { either, meant } from "../text/meant.ts";
import { normalName } from "../text/names.ts";
import type { GroupReply, Link } from "./link.ts";
import { allPages } from "./pages.ts";
import type { Action, BannedInfo, MemberInfo } from "./types.ts";

/** Members, and whom an admin sees as banned. */
interface Members {
  readonly members: MemberInfo[];
  readonly banned: readonly BannedInfo[];
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

/** Whom an admin sees as banned: they come with the first of the members. Throws as the others do. */
export async function readBanned(link: Link): Promise<readonly BannedInfo[]> {
  return (await link.ask("members", {})).banned ?? [];
}

/** What the group is about: it comes with the first of its members. Throws as the others do. */
export async function readTopic(link: Link): Promise<string> {
  return (await link.ask("members", {})).topic;
}

/**
 * An action as the group is asked for it: whom, and to which role, so that asking again does no more
 * than asking once.
 *
 * @throws {Refusal} `not_found` nobody, or several, of whom the name may be; `bad_request` no further
 * step
 */
export async function toAct(link: Link, action: Action): Promise<Action> {
  if (action.user === undefined) return action;
  const isStep = action.action === "promote" || action.action === "demote";
  const step = isStep && action.role === undefined;
  const known = step || !isUuid(action.user) ? await readMembers(link) : undefined;
  const user = known && !isUuid(action.user)
    ? findUser(action.user, {
      ...known,
      group: link.target.name,
      wholly: WHOLLY.has(action.action),
    })
    : action.user;
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

/** Actions that take no part of a name: what they do is not undone by another. */
const WHOLLY: ReadonlySet<string> = new Set<Action["action"]>(["remove", "ban"]);

type Named = Pick<MemberInfo, "user" | "name">;

/**
 * The id of whom a person names: `alice`, `alice#1a2b3c4d`, `#1a2b3c4d`, or the id of a dialect. A
 * name is taken in any case, and by how it begins unless it must be said `wholly`.
 *
 * @throws {Refusal} `not_found`, with those who may have been meant
 */
export function findUser(
  who: string,
  { members, banned, group, wholly }: Members & {
    readonly group: string;
    readonly wholly: boolean;
  },
): string {
  const every = [...members, ...banned].map((one): [string, Named] => [one.user, one]);
  const all = [...new Map(every).values()];
  const typed = normalName(who);
  const byId = all.find(({ user }) => user === typed) ?? byShortId(typed, all);
  if (byId) return byId.user;
  const found = meant(typed, all, ({ name }) => name);
  // Whose names look alike are not told apart by them: letters can be wrong on purpose.
  const could = found.kind === "several"
    ? found.all
    : found.kind === "one"
    ? all.filter(({ name }) => skeleton(name) === skeleton(found.one.name))
    : [];
  if (could.length > 1) throw notFound(who, `could be ${either(could.map(fullName))}; say which`);
  if (found.kind === "one" && (found.exact || !wholly)) return found.one.user;
  const near = found.kind === "one" ? found.one : found.kind === "none" ? found.near : undefined;
  const hint = near ? `did you mean ${near.name}?` : "members shows who is there";
  throw notFound(who, `no member of ${group} has this name; ${hint}`);
}

/** Who has this short id; a name before it must look like theirs. */
function byShortId(typed: string, all: readonly Named[]): Named | undefined {
  const split = splitShortId(typed);
  if (!split) return undefined;
  const { name, short } = split;
  const found = all.filter((one) =>
    shortId(one.user) === short && (name === "" || skeleton(one.name) === skeleton(name))
  );
  if (found.length < 2) return found[0];
  throw notFound(typed, `could be ${either(found.map(({ user }) => user))}; say which`);
}

function fullName({ user, name }: Named): string {
  return name + shortId(user);
}

function notFound(who: string, why: string): Refusal {
  return new Refusal("not_found", `Cannot find "${who}": ${why}`);
}
