/** Dialects: the same group, asked by users who only claim who they are. */

import { Buffer } from "node:buffer";
import type { Dialect, GroupAsk } from "../../dialects/dialect.ts";
import { midMaker } from "../../identity/mids.ts";
import type { Frames, Peer } from "../../transport/transport.ts";
import type { Group } from "../group.ts";
import { OPERATIONS } from "../operations.ts";
import { Pages } from "../../session/pages.ts";
import type { Op, PlainMessage, Reply, Request } from "../request.ts";

export interface DialectFrontOptions {
  readonly group: Pick<Group, "handle" | "now">;
  readonly dialects: readonly Dialect[];
  /** False: what is asked is answered, and refused. */
  readonly serves: boolean;
}

/** JSON around a text, bytes. */
const AROUND = 256;

/** Serves the peers that speak a dialect. */
export class DialectFront {
  readonly #options: DialectFrontOptions;
  readonly #pages = new Pages();
  readonly #mid = midMaker();
  /** Who asked, as long as it takes what it gets. */
  readonly #readers = new WeakMap<Peer, { open: boolean; readonly peer: Peer }>();

  constructor(options: DialectFrontOptions) {
    this.#options = options;
  }

  /** One message in the clear, rubbish included: its clients wait for ever without an answer. */
  receive(peer: Peer, frames: Frames): void {
    const { group, dialects, serves } = this.#options;
    const dialect = dialects.find((one) => one.speaks(frames));
    if (!dialect) return peer.cut("speaks no protocol known here");
    if (!serves) return void peer.send([dialect.failed]);
    peer.begin();
    const reader = this.#readers.get(peer) ?? { open: true, peer };
    this.#readers.set(peer, reader);
    const send = (reply: string) => {
      peer.end();
      reader.open = peer.send([reply]);
    };
    const asked = dialect.group.decode(frames, group.now());
    if (!asked) return send(dialect.failed);
    peer.admit();
    const { history, done } = dialect.group;
    const request = this.#toRequest(dialect, asked, peer.id);
    const answer = () =>
      group.handle(request).then(
        (reply) => send(hasMessages(reply) ? history(reply.messages) : done),
        () => send(dialect.failed),
      );
    if (!OPERATIONS[request.op].paced) return void answer();
    this.#pages.add(reader, { make: answer, drop: () => send(dialect.failed) });
  }

  #toRequest({ group }: Dialect, asked: GroupAsk, from: string): Request {
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
        const messages = [[this.#mid(), text] as const];
        return { op: "send", messages, sig: undefined, after: undefined, ...who, size };
      }
      case "history": {
        const measure = (message: PlainMessage) => group.history([message]).length;
        return { op: "history", since: asked.since, measure, ...who };
      }
      default:
        throw new Error(`Cannot ask ${JSON.stringify(asked satisfies never)}`);
    }
  }
}

function hasMessages(reply: Reply<Op>): reply is Reply<"history"> {
  return typeof reply === "object" && "messages" in reply;
}
