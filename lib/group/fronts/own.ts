/** Our own wire: what sessions ask of a group, and what the server's own keys add to a reply. */

import { Refusal } from "../../errors.ts";
import { userId } from "../../identity/keys.ts";
import {
  GROUP_OPS,
  type GroupRecord,
  type GroupRequest,
  SERVER_OPS,
  type ServerRequest,
} from "../../protocol/schema.ts";
import type { Session } from "../../session/session.ts";
import { SessionFront } from "../../session/session_front.ts";
import type { Group } from "../group.ts";
import { OPERATIONS } from "../operations.ts";
import type { Op, Request } from "../request.ts";
import type { Servers } from "../servers.ts";
import type { ServersFront } from "./servers.ts";

export interface OwnFrontOptions {
  readonly group: Pick<Group, "handle" | "meet" | "enter">;
  /** A ticket that brings the user's next handshake before those of strangers. */
  ticket(user: string): string;
  /** The group's signed record as it is now. */
  record(): GroupRecord;
  /** Something failed here that is no refusal. */
  failed(error: unknown): void;
  /** Where the group may have several servers. */
  shared?(): { readonly servers: Servers; readonly front: ServersFront };
}

const OPS = { ...GROUP_OPS, ...SERVER_OPS } as const;

/** Serves the sessions of a group. */
export function ownFront(options: OwnFrontOptions): SessionFront<typeof OPS> {
  const { group, failed, shared } = options;
  return new SessionFront<typeof OPS>({
    ops: shared ? OPS : GROUP_OPS as typeof OPS,
    isPaced: (op) => !isServerOp(op) && OPERATIONS[op].paced === true,
    failed,
    answer(session, asked, size) {
      const front = shared?.().front;
      if (isServers(asked)) return front!.answer(session, asked);
      if (asked.op === "prove") enter(options, session, asked);
      const { actor, id: from } = session;
      const isServer = front?.isServer(session) ? { handed: true } : {};
      const reply = group.handle({ ...asked, actor, from, size, ...isServer } as Request);
      const add = ADDED[asked.op];
      return add
        ? reply.then((value) => ({ ...value as object, ...add(options, session) }))
        : reply;
    },
  });
}

function isServerOp(op: string): op is keyof typeof SERVER_OPS {
  return Object.hasOwn(SERVER_OPS, op);
}

function isServers(asked: GroupRequest | ServerRequest): asked is ServerRequest {
  return isServerOp(asked.op);
}

/** What is added to replies. */
const ADDED: Partial<Record<Op, (options: OwnFrontOptions, session: Session) => object>> = {
  prove: ({ ticket, shared }, { actor }) => ({ ticket: ticket(actor!.user), ...places(shared) }),
  ping: ({ shared }, { actor }) => actor ? places(shared) : {},
  invite: ({ record }) => ({ record: record() }),
};

/** Where else a group of several servers is. */
function places(shared: OwnFrontOptions["shared"]): { readonly servers?: readonly string[] } {
  const servers = shared?.().servers.all ?? [];
  return servers.length > 1 ? { servers } : {};
}

/** The session is its key's from now on. @throws {Refusal} `bad_proof`, `rate_limited` */
function enter(
  { group, shared }: OwnFrontOptions,
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
  if (!shared?.().front.isServer(session)) group.enter(session.actor.user, session);
}
