/** Dialects: the same group, asked by users who only claim who they are. */

import { Buffer } from "node:buffer";
import { DIALECTS } from "../../dialects/all.ts";
import type { Dialect, GroupAsk, PlainMessage } from "../../dialects/dialect.ts";
import { midMaker } from "../../identity/mids.ts";
import { ClearFront } from "../../session/clear_front.ts";
import type { Group } from "../group.ts";
import { OPERATIONS } from "../operations.ts";
import type { Op, Reply, Request } from "../request.ts";

/** JSON around a text, bytes. */
const AROUND = 256;

/** Serves the peers that speak a dialect; where it does not serve them, what they ask fails. */
export function dialectFront(
  group: Pick<Group, "handle" | "now">,
  serves: boolean,
): ClearFront<GroupAsk> {
  const mid = midMaker();
  return new ClearFront<GroupAsk>({
    dialects: DIALECTS,
    serves,
    decode: (dialect, frames) => dialect.group.decode(frames, group.now()),
    admit: (peer) => peer.admit(),
    isPaced: ({ op }) => OPERATIONS[op].paced === true,
    async answer(dialect, asked, { id }) {
      const reply = await group.handle(toRequest(dialect, asked, id, mid));
      const { history, done } = dialect.group;
      return hasMessages(reply) ? history(reply.messages) : done;
    },
  });
}

function toRequest(
  { group: { history } }: Dialect,
  asked: GroupAsk,
  from: string,
  mid: () => string,
): Request {
  const { user } = asked;
  const who = { actor: { user, name: user.slice(1, 9) }, from, size: AROUND };
  switch (asked.op) {
    case "join":
      return { op: "join", invite: undefined, ...who };
    case "leave":
      return { op: "leave", ...who };
    case "send": {
      const { text } = asked;
      const size = AROUND + Buffer.byteLength(text);
      const messages = [[mid(), text] as const];
      return { op: "send", messages, sig: undefined, after: undefined, ...who, size };
    }
    case "history": {
      const measure = (message: PlainMessage) => history([message]).length;
      return { op: "history", since: asked.since, measure, ...who };
    }
    default:
      throw new Error(`Cannot ask ${JSON.stringify(asked satisfies never)}`);
  }
}

function hasMessages(reply: Reply<Op>): reply is Reply<"history"> {
  return typeof reply === "object" && "messages" in reply;
}
