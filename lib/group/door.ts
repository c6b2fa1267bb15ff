/**
 * The door of an encrypted group: the one socket open to unknown CURVE keys, with tight limits.
 * It lets the keys of proved users in, redeems invites, and does nothing else.
 */

import { Refusal } from "../errors.ts";
import { userId, verifies } from "../identity/keys.ts";
import { BadRequest, decodeRequest, encodeError, encodeOk } from "../protocol/codec.ts";
import { enterText } from "../protocol/record.ts";
import { DOOR_OPS, type DoorRequest } from "../protocol/schema.ts";
import type { Frames, OutFrames, Peer } from "../transport/transport.ts";
import { Buckets } from "./rate.ts";
import type { GroupService } from "./service.ts";

/** Longest frame at the door, bytes. */
export const DOOR_FRAME = 4_096;
/** Knocks a second of everybody together; each costs one signature check. */
const KNOCKS = 1_000;
/** Wrong invites a second of everybody together. */
const WRONG_INVITES = 20;

type Enter = Extract<DoorRequest, { op: "enter" }>;

/** See the head of this file. */
export class Door {
  readonly #service: GroupService;
  readonly #send: (peer: Peer, frames: OutFrames) => void;
  readonly #log: (line: string, user: string) => void;
  readonly #knocks = new Buckets(KNOCKS, KNOCKS);
  readonly #wrong = new Buckets(WRONG_INVITES, 5 * WRONG_INVITES);

  constructor(
    service: GroupService,
    send: (peer: Peer, frames: OutFrames) => void,
    log: (line: string, user: string) => void,
  ) {
    this.#service = service;
    this.#send = send;
    this.#log = log;
  }

  /** One message from a peer. Never throws. */
  receive(peer: Peer, frames: Frames): void {
    let id: number | null = null;
    try {
      const request = decodeRequest(frames, DOOR_OPS);
      id = request.id;
      if (request.op === "ping") return this.#send(peer, encodeOk(id, {}));
      this.#enter(request, {
        ok: (reply) => this.#send(peer, encodeOk(request.id, reply)),
        refuse: (error) => this.#send(peer, encodeError(request.id, error)),
      });
    } catch (error) {
      this.#send(peer, encodeError(error instanceof BadRequest ? error.id : id, error));
    }
  }

  #enter(
    { key, name, curve, invite, sig }: Enter,
    answer: { ok(reply: object): void; refuse(error: unknown): void },
  ): void {
    const service = this.#service;
    const now = service.now();
    this.#limit(this.#knocks, "too many knock at the door", now);
    if (!verifies(key, enterText(service.identity.id, curve, invite), sig)) {
      throw new Refusal("bad_proof", "Cannot enter: the signature does not fit the key");
    }
    const actor = { user: userId(key), name, key };
    this.#log("ENTER REQUEST", actor.user);
    if (!invite) {
      service.admit(actor, curve);
      return answer.ok({ epoch: service.epoch });
    }
    service.redeem(actor, curve, invite, {
      ok: ({ role }) => answer.ok({ epoch: service.epoch, role }),
      refuse: (error) => {
        const wrong = error instanceof Refusal && error.code === "bad_invite";
        const wait = wrong ? this.#wrong.take("", 1, service.now()) : 0;
        answer.refuse(wait > 0 ? tooMany("too many wrong invites", wait) : error);
      },
    });
  }

  #limit(buckets: Buckets, why: string, now: number): void {
    const wait = buckets.take("", 1, now);
    if (wait > 0) throw tooMany(why, wait);
  }
}

function tooMany(why: string, wait: number): Refusal {
  return new Refusal("rate_limited", `Cannot enter now: ${why}, try again later`, {
    retryAfter: wait,
  });
}
