/** Our own wire at a server: JSON of a session to checked requests, and what is answered back. */

import { Refusal } from "../errors.ts";
import { BadRequest, decodeRequest, encodeError, encodeOk } from "../protocol/codec.ts";
import type { Ops, RequestOf } from "../protocol/schema.ts";
import { Pages } from "./pages.ts";
import type { Session } from "./session.ts";

export interface SessionFrontOptions<T extends Ops> {
  readonly ops: T;
  /** Answered for each connection one after the other, and only while it takes what it has. */
  isPaced(op: keyof T & string): boolean;
  /**
   * Answers a checked request, with an object or its JSON text.
   *
   * @param size of the request, bytes
   * @throws {Refusal} at once or later
   */
  answer(session: Session, request: RequestOf<T>, size: number): Promise<object | string>;
  /** Something failed here that is no refusal. */
  failed(error: unknown): void;
}

/** Serves the sessions of a server. */
export class SessionFront<T extends Ops> {
  readonly #options: SessionFrontOptions<T>;
  readonly #pages = new Pages();

  constructor(options: SessionFrontOptions<T>) {
    this.#options = options;
  }

  /** One request of a session. Never throws. */
  receive(session: Session, json: Uint8Array): void {
    const { ops, isPaced, answer, failed } = this.#options;
    const served = session.serving();
    let id: number | null = null;
    const refuse = (error: unknown) => {
      served();
      if (!(error instanceof Refusal)) failed(error);
      session.reply(encodeError(error instanceof BadRequest ? error.id : id, error));
    };
    try {
      const request = decodeRequest(json, ops);
      const own = id = request.id;
      const reply = (value: object | string) => {
        served();
        session.reply(encodeOk(own, value));
      };
      const make = () => answer(session, request, json.length).then(reply, refuse);
      if (isPaced(request.op)) this.#pages.add(session, { make, drop: served });
      else void make();
    } catch (error) {
      refuse(error);
    }
  }
}
