/** Our own wire: JSON of a session to requests, replies and refusals back to JSON. */

import { Refusal } from "../../errors.ts";
import { BadRequest, decodeRequest, encodeError, encodeOk } from "../../protocol/codec.ts";
import { REGISTRY_OPS } from "../../protocol/schema.ts";
import { Pages } from "../../session/pages.ts";
import type { Session } from "../../session/server.ts";
import { OPERATIONS } from "../operations.ts";
import type { Registry } from "../registry.ts";

/** Serves the sessions of a registry. */
export class OwnFront {
  readonly #registry: Pick<Registry, "handle">;
  readonly #failed: (error: unknown) => void;
  readonly #pages = new Pages();

  /** @param failed something failed here that is no refusal */
  constructor(registry: Pick<Registry, "handle">, failed: (error: unknown) => void) {
    this.#registry = registry;
    this.#failed = failed;
  }

  /** One request of a session. Never throws. */
  receive(session: Session, json: Uint8Array): void {
    const served = session.serving();
    let id: number | null = null;
    const refuse = (error: unknown) => {
      served();
      if (!(error instanceof Refusal)) this.#failed(error);
      session.reply(encodeError(error instanceof BadRequest ? error.id : id, error));
    };
    try {
      const asked = decodeRequest(json, REGISTRY_OPS);
      const own = id = asked.id;
      const reply = (value: object) => {
        served();
        session.reply(encodeOk(own, value));
      };
      const request = { ...asked, ip: session.peer.ip };
      const answer = () => this.#registry.handle(request).then(reply, refuse);
      if (OPERATIONS[request.op].paced) this.#pages.add(session, { make: answer, drop: served });
      else void answer();
    } catch (error) {
      refuse(error);
    }
  }
}
