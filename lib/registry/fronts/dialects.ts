/** Dialects: the same registry, asked by programs without keys. */

import type { Dialect, RegistryAsk } from "../../dialects/dialect.ts";
import { MAX_LIST } from "../../protocol/limits.ts";
import { Pages } from "../../session/pages.ts";
import type { Frames, Peer } from "../../transport/transport.ts";
import { type Op, OPERATIONS, type Reply, type Request } from "../operations.ts";
import type { Registry } from "../registry.ts";

export interface DialectFrontOptions {
  readonly registry: Pick<Registry, "handle">;
  readonly dialects: readonly Dialect[];
  /** A peer asked something. */
  asked(peer: Peer): void;
}

/** Serves the peers that speak a dialect. */
export class DialectFront {
  readonly #options: DialectFrontOptions;
  readonly #pages = new Pages();
  /** Who asked, as long as it takes what it gets. */
  readonly #readers = new WeakMap<Peer, { open: boolean; readonly peer: Peer }>();

  constructor(options: DialectFrontOptions) {
    this.#options = options;
  }

  /** One message in the clear, rubbish included. Never throws. */
  receive(peer: Peer, frames: Frames): void {
    const { registry, dialects } = this.#options;
    const dialect = dialects.find((one) => one.speaks(frames));
    if (!dialect) return peer.cut("speaks neither this protocol nor the dialect");
    const { failed, registry: { decode, registered, list } } = dialect;
    const asked = decode(frames);
    if (!asked) return void peer.send([failed]);
    this.#options.asked(peer);
    peer.begin();
    const reader = this.#readers.get(peer) ?? { open: true, peer };
    this.#readers.set(peer, reader);
    const send = (text: string) => {
      peer.end();
      reader.open = peer.send([text]);
    };
    const fail = () => send(failed);
    const request = toRequest(asked, peer.ip);
    const answer = () =>
      registry.handle(request).then(
        (reply) => send(isList(reply) ? list(reply.groups) : registered),
        fail,
      );
    if (OPERATIONS[request.op].paced) this.#pages.add(reader, { make: answer, drop: fail });
    else void answer();
  }
}

function toRequest(asked: RegistryAsk, ip: string): Request {
  switch (asked.op) {
    case "register": {
      const { name, address } = asked;
      return { op: "register_keyless", name, address, ip };
    }
    case "list":
      return { op: "list", prefix: "", after: "", limit: MAX_LIST, user: asked.user, ip };
    default:
      throw new Error(`Cannot ask ${JSON.stringify(asked satisfies never)}`);
  }
}

function isList(reply: Reply<Op>): reply is Reply<"list"> {
  return "groups" in reply;
}
