/** Our own wire: JSON of a session to requests, replies and refusals back to JSON. */

import { Refusal } from "../../errors.ts";
import {
  BadRequest,
  decodeRequest,
  encodeError,
  encodeOk,
  encodeOkText,
} from "../../protocol/codec.ts";
import { GROUP_OPS, type GroupRecord, type GroupRequest } from "../../protocol/schema.ts";
import type { Session } from "../../session/server.ts";
import { userId } from "../../identity/keys.ts";
import type { Group } from "../group.ts";
import { OPERATIONS } from "../operations.ts";
import { Pages } from "../../session/pages.ts";
import type { Op, Reply, Request } from "../request.ts";

export interface OwnFrontOptions {
  readonly group: Pick<Group, "handle" | "enter" | "exit">;
  /** A ticket that brings the user's next handshake before those of strangers. */
  ticket(user: string): string;
  /** The group's signed record as it is now. */
  record(): GroupRecord;
  /** Something failed here that is no refusal. */
  failed(error: unknown): void;
}

/** Serves the sessions of a group. */
export class OwnFront {
  readonly #options: OwnFrontOptions;
  readonly #pages = new Pages();

  constructor(options: OwnFrontOptions) {
    this.#options = options;
  }

  /** One request of a session. Never throws. */
  receive(session: Session, json: Uint8Array): void {
    const served = session.serving();
    let id: number | null = null;
    const refuse = (error: unknown) => {
      served();
      if (!(error instanceof Refusal)) this.#options.failed(error);
      session.reply(encodeError(error instanceof BadRequest ? error.id : id, error));
    };
    try {
      const asked = decodeRequest(json, GROUP_OPS);
      const own = id = asked.id;
      if (asked.op === "prove") this.#prove(session, asked);
      const { actor, peer } = session;
      const request = { ...asked, actor, from: peer.id, size: json.length } as Request;
      const reply = (value: Reply<Op>) => {
        served();
        session.reply(this.#encode(own, request, value));
      };
      const answer = () => this.#options.group.handle(request).then(reply, refuse);
      if (OPERATIONS[request.op].paced) this.#pages.add(session, { make: answer, drop: served });
      else void answer();
    } catch (error) {
      refuse(error);
    }
  }

  /** The session is its key's from now on. @throws {Refusal} `bad_proof` */
  #prove(session: Session, { key, name, sig }: Extract<GroupRequest, { op: "prove" }>): void {
    if (!session.prove(key, sig)) {
      const message = "Cannot prove: the signature does not fit the key and this session";
      throw new Refusal("bad_proof", message);
    }
    session.actor = { user: userId(key), name, key };
    session.peer.admit();
    this.#options.group.enter(session.actor.user, session);
  }

  /** A reply as JSON, with what the server's own keys add to it. */
  #encode(id: number, { op, actor }: Request, reply: Reply<Op>): string {
    if (typeof reply === "string") return encodeOkText(id, reply);
    switch (op) {
      case "prove":
        return encodeOk(id, { ...reply, ticket: this.#options.ticket(actor!.user) });
      case "invite":
        return encodeOk(id, { ...reply, record: this.#options.record() });
      default:
        return encodeOk(id, reply);
    }
  }

  /** The session is over; on its connection another one may begin, with what is left of its budget. */
  gone(session: Session): void {
    this.#options.group.exit(session.actor?.user, session);
  }
}
