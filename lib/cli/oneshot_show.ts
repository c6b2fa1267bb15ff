/** One-shot commands that show a list: `list`, `groups`, `members`, `whoami`. */

import { wholeNumber } from "./args.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import type { Call } from "./oneshot.ts";
import { joinedJson, joinedLine, listingJson, listingLine, memberLine, notice } from "./render.ts";
import { withUnread } from "./unread.ts";

/** `list [PREFIX]`. */
export async function list({ user, words: [prefix], json, output }: Call): Promise<void> {
  const found = await user.list(prefix === undefined ? {} : { prefix });
  for (const listing of found) {
    await output.print(json ? listingJson(listing) : listingLine(listing, output.style));
  }
  if (found.length > 0 || json) return;
  const which = prefix === undefined ? "" : ` that begins with ${prefix}`;
  await output.complain(
    notice(`no group${which} is listed; group.ts NAME IP:PORT starts one`),
  );
}

/** `groups`, with what is unread in each and whether it answers. */
export async function groups({ user, json, output }: Call): Promise<void> {
  const joined = await withUnread(user);
  for (const group of joined) {
    await output.print(json ? joinedJson(group) : joinedLine(group, output.style));
  }
  if (joined.length > 0 || json) return;
  await output.complain(notice("you have joined no group; list shows them, join G joins one"));
}

/** `members G`. */
export async function members({ user, words: [group], json, output }: Call): Promise<void> {
  for (const member of await user.members(group)) {
    await output.print(json ? safeJson(member) : memberLine(member, output.style));
  }
}

/** `fingerprint G`. */
export async function fingerprint(
  { user, words: [group], given, json, output }: Call,
): Promise<void> {
  const wanted = given.texts.get("at");
  const at = wanted === undefined ? {} : { at: wholeNumber("--at", wanted, 1) };
  const found = await user.fingerprint(group, at);
  if (json) return await output.print(safeJson({ group, ...found }));
  await output.print(`${found.seq} ${found.hash}`);
  if (found.from <= 1) return;
  await output.complain(notice(`the group keeps nothing before entry ${found.from}`));
}

/** `whoami`. */
export async function whoami({ user, json, home, output }: Call): Promise<void> {
  const { id, name, registries } = user;
  if (json) return await output.print(safeJson({ id, name, home, registries }));
  await output.print(
    [
      `name      ${safeLine(name)}`,
      `id        ${id}`,
      `folder    ${home}`,
      `registry  ${registries.join(", ")}`,
    ].join("\n"),
  );
}
