/** Between servers: what the relays of a group ask its holder. */

import { Refusal } from "../../errors.ts";
import { fieldsProblem } from "../../protocol/codec.ts";
import { GROUP_OPS, type ServerRequest } from "../../protocol/schema.ts";
import type { Session } from "../../session/session.ts";
import type { Group } from "../group.ts";
import { OPERATIONS } from "../operations.ts";
import type { Op, Request } from "../request.ts";
import { hear, type Servers, Telling } from "../servers.ts";

/** A relay that is connected. */
interface Met {
  readonly address: string;
  readonly present: Set<string>;
  readonly telling: Telling;
}

/** Serves the sessions of the group's other servers, which prove the group's own key. */
export class ServersFront {
  readonly #group: Group;
  readonly #servers: Servers;
  readonly #met = new Map<Session, Met>();

  constructor(group: Group, servers: Servers) {
    this.#group = group;
    this.#servers = servers;
  }

  /** Whether a session is another server's. */
  isServer({ actor }: Session): boolean {
    return actor?.key === this.#group.identity.key;
  }

  /** @throws {Refusal} `forbidden` to all but servers; `busy`: this one is not the holder */
  async answer(session: Session, asked: ServerRequest): Promise<object> {
    if (!this.isServer(session)) {
      const message = `Cannot serve ${asked.op}: only servers of the group may ask for it`;
      throw new Refusal("forbidden", message);
    }
    const { epoch, head, hash } = this.#group.vouch();
    switch (asked.op) {
      case "head":
        return { epoch, head, hash };
      case "follow":
        this.#group.news.add(session);
        return { epoch, head };
      case "meet":
        return this.#meet(session, asked);
      case "hand": {
        const reply = await this.#group.handle(this.#unpacked(session, asked));
        return { head: this.#group.head, reply };
      }
    }
  }

  /** The session is over. */
  gone(session: Session): void {
    this.#group.news.delete(session);
    const met = this.#met.get(session);
    if (!met) return;
    this.#met.delete(session);
    this.#group.presence.elsewhere.delete(met.present);
    this.#learn();
  }

  /** Only what is to be decided comes so, and only with fields that a member could have sent. */
  #unpacked(session: Session, asked: Extract<ServerRequest, { op: "hand" }>): Request {
    const { actor, from, size, request } = asked;
    const op = request.op as Op;
    const fields = Object.hasOwn(GROUP_OPS, op)
      ? GROUP_OPS[op as keyof typeof GROUP_OPS]
      : undefined;
    const operation = fields && OPERATIONS[op];
    const isDecided = operation && ("decide" in operation || operation.needs === "holder");
    const problem = isDecided ? fieldsProblem(fields!, request) : "it is nothing to be handed on";
    if (problem !== undefined) {
      throw new Refusal("bad_request", `Cannot read the request: ${problem}`);
    }
    const { key, ...claimed } = actor;
    const who = key === undefined ? claimed : { ...claimed, key };
    const handed = { actor: who, from: `${session.id} ${from}`, size, handed: true };
    return { ...request, ...handed } as unknown as Request;
  }

  #meet(session: Session, asked: Extract<ServerRequest, { op: "meet" }>): object {
    const { presence } = this.#group;
    const { address } = asked;
    let met = this.#met.get(session);
    if (!met) {
      met = { address, present: new Set(), telling: new Telling() };
      this.#met.set(session, met);
      presence.elsewhere.add(met.present);
      this.#learn();
    }
    hear(met.present, asked);
    const others = presence.own();
    for (const users of presence.elsewhere) {
      if (users !== met.present) { for (const user of users) others.add(user); }
    }
    return { servers: this.#servers.all, ...met.telling.next(others) };
  }

  #learn(): void {
    this.#servers.learn([...this.#met.values()].map(({ address }) => address));
  }
}
