/** How much of each joined group is unread, asked of the groups themselves. */

import type { JoinedGroup, UserPort } from "./ports.ts";

/** The joined groups, with what each has after the cursor; one that does not answer keeps its 0. */
export async function withUnread(
  user: Pick<UserPort, "joined" | "read">,
): Promise<readonly JoinedGroup[]> {
  const asked = user.joined().map(async (group) => {
    try {
      let head = 0;
      for await (const { seq } of user.read(group.id, { last: true, limit: 1 })) head = seq;
      return { id: group.id, unread: Math.max(0, head - group.cursor) };
    } catch {
      return { id: group.id, unread: 0 }; // its state says that it does not answer
    }
  });
  const unread = new Map((await Promise.all(asked)).map(({ id, unread }) => [id, unread]));
  return user.joined().map((group) => ({ ...group, unread: unread.get(group.id) ?? 0 }));
}
