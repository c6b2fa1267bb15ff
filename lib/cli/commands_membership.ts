/** Commands of the prompt that change where you are: join, leave, switch, create. */

import { UsageError } from "../errors.ts";
import { checkedAddress } from "./args.ts";
import { checkedName } from "./group_program.ts";
import type { JoinedGroup } from "./ports.ts";
import type { Session } from "./session.ts";
import { takeNameAndAddress, wholeTarget } from "./targets.ts";

/** `join_group G`. */
export async function join(session: Session, rest: string): Promise<void> {
  const target = wholeTarget(rest, session.known);
  if (!target) throw new UsageError("Cannot join: expected a group, join_group NAME or IP:PORT");
  await enter(session, target);
}

/** Joins a group and makes it the current one. */
export async function enter(session: Session, target: string): Promise<void> {
  const group = await session.user.join(target);
  session.succeed();
  session.switchTo(group);
  await session.watch(group);
}

/** `leave_group G`. */
export async function leave(session: Session, rest: string): Promise<void> {
  const target = wholeTarget(rest, session.known);
  if (!target) throw new UsageError("Cannot leave: expected a group, leave_group NAME or IP:PORT");
  const group = joined(session, target);
  await session.user.leave(group.id);
  session.succeed();
  session.left(group);
}

/** `switch G`. */
export function switchGroup(session: Session, rest: string): void {
  const target = wholeTarget(rest, session.known);
  if (!target) throw new UsageError("Cannot switch: expected a joined group, switch NAME");
  const group = joined(session, target);
  session.switchTo(group);
  session.say(`plain text goes to ${group.name} now`);
}

/** `create_group NAME [IP:PORT]`. */
export async function create(session: Session, rest: string): Promise<void> {
  const { name, address = "127.0.0.1:0" } = takeNameAndAddress(rest);
  if (name === "") throw new UsageError("Cannot create a group: expected create_group NAME");
  const group = await session.host(
    checkedName(name),
    checkedAddress("the address", address, { free: true }),
  );
  session.say(`${name} listens on ${group.address} for as long as this program runs`);
  await enter(session, group.address);
}

/** The joined group of this name or address. @throws {UsageError} */
export function joined(session: Session, target: string): JoinedGroup {
  const groups = session.user.joined();
  const wanted = target.toLowerCase();
  const found = groups.find(({ name, address }) => name === target || address === target) ??
    groups.find(({ name }) => name.toLowerCase() === wanted);
  if (found) return found;
  throw new UsageError(
    `You are not a member of "${target}": join_group ${
      /\s/.test(target) ? `"${target}"` : target
    }` +
      " first; show_groups shows where you are",
  );
}
