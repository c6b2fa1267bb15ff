/** Our own wire: what sessions ask of a group, and what the server's own keys add to a reply. */

import { Refusal } from "../../errors.ts";
import { userId } from "../../identity/keys.ts";
import { GROUP_OPS, type GroupRecord, type GroupRequest } from "../../protocol/schema.ts";
import type { Session } from "../../session/session.ts";
import { SessionFront } from "../../session/session_front.ts";
import type { Group } from "../group.ts";
import { OPERATIONS } from "../operations.ts";
import type { Op, Request } from "../request.ts";

export interface OwnFrontOptions {
  readonly group: Pick<Group, "handle" | "meet" | "enter">;
  /** A ticket that brings the user's next handshake before those of strangers. */
  ticket(user: string): string;
  /** The group's signed record as it is now. */
  record(): GroupRecord;
  /** Something failed here that is no refusal. */
  failed(error: unknown): void;
}

/** Serves the sessions of a group. */
export function ownFront(options: OwnFrontOptions): SessionFront<typeof GROUP_OPS> {
  const { group, failed } = options;
  return new SessionFront({
    ops: GROUP_OPS,
    isPaced: (op) => OPERATIONS[op].paced === true,
    failed,
    answer(session, asked, size) {
      if (asked.op === "prove") enter(group, session, asked);
      const { actor, id: from } = session;
      const reply = group.handle({ ...asked, actor, from, size } as Request);
      const add = ADDED[asked.op];
      return add
        ? reply.then((value) => ({ ...value as object, ...add(options, session) }))
        : reply;
    },
  });
}

/** What is added to replies. */
const ADDED: Partial<Record<Op, (options: OwnFrontOptions, session: Session) => object>> = {
  prove: ({ ticket }, { actor }) => ({ ticket: ticket(actor!.user) }),
  invite: ({ record }) => ({ record: record() }),
};

/** The session is its key's from now on. @throws {Refusal} `bad_proof`, `rate_limited` */
function enter(
  group: OwnFrontOptions["group"],
  session: Session,
  { key, name, sig }: Extract<GroupRequest, { op: "prove" }>,
): void {
  group.meet(session.id);
  if (!session.prove(key, sig)) {
    const message = "Cannot prove: the signature does not fit the key and this session";
    throw new Refusal("bad_proof", message);
  }
  session.actor = { user: userId(key), name, key };
  session.peer.admit();
  group.enter(session.actor.user, session);
}
