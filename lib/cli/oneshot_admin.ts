/** One-shot commands of admins: `invite`, the actions on a member, `topic`, `trust`. */

import { actionOf, type Deed, termsOf } from "./admin.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import type { Call } from "./oneshot.ts";
import { notice, success, trustedLine } from "./render.ts";

/** `invite G`: prints the link alone, so that a script can take it. */
export async function invite({ user, words: [group], given, json, output }: Call): Promise<void> {
  const link = await user.invite(group, termsOf(given));
  await output.print(json ? safeJson({ invite: link }) : link);
  if (given.flags.has("qr")) await output.print((await import("./qr.ts")).qrCode(link));
}

/** The runner of one action. */
export function act(deed: Deed): (call: Call) => Promise<void> {
  return async ({ user, words: [group, ...rest], given, json, output }) => {
    const action = actionOf(deed, rest, given);
    const seq = await user.act(group, action);
    await output.print(json ? safeJson({ seq }) : success(output.style));
  };
}

/** `topic G [TEXT]`: shows it without TEXT; an empty TEXT takes it away. */
export async function topic({ user, words: [group, ...texts], json, output }: Call) {
  if (texts.length > 0) {
    const seq = await user.act(group, { action: "topic", topic: texts.join(" ") });
    return await output.print(json ? safeJson({ seq }) : success(output.style));
  }
  const found = await user.topic(group);
  if (json) return await output.print(safeJson({ topic: found }));
  if (found === "") return await output.complain(notice(`${group} has no topic`, output.style));
  await output.print(safeLine(found));
}

/** `trust G` and `trust HOST:PORT`. What was done is a remark, so that scripts get SUCCESS alone. */
export async function trust({ user, words: [group], output }: Call): Promise<void> {
  const trusted = await user.trust(group);
  await output.complain(notice(trustedLine(trusted), output.style));
  await output.print(success(output.style));
}
