/** What makes requests of a registry of what peers send: our own wire, and dialects. */

import type { RegistryAsk } from "../dialects/dialect.ts";
import { DIALECTS } from "../dialects/all.ts";
import { MAX_LIST } from "../protocol/limits.ts";
import { REGISTRY_OPS } from "../protocol/schema.ts";
import { ClearFront } from "../session/clear_front.ts";
import { SessionFront } from "../session/session_front.ts";
import type { Peer } from "../transport/transport.ts";
import { type Op, OPERATIONS, type Reply, type Request } from "./operations.ts";
import type { Registry } from "./registry.ts";

/** Serves sessions. @param failed something failed here that is no refusal */
export function ownFront(
  registry: Pick<Registry, "handle">,
  failed: (error: unknown) => void,
): SessionFront<typeof REGISTRY_OPS> {
  return new SessionFront({
    ops: REGISTRY_OPS,
    isPaced: (op) => OPERATIONS[op].paced === true,
    failed,
    answer: ({ peer }, asked) => registry.handle({ ...asked, ip: peer.ip }),
  });
}

/** Serves programs without keys. @param admit a peer asked something that was understood */
export function dialectFront(
  registry: Pick<Registry, "handle">,
  admit: (peer: Peer) => void,
): ClearFront<Request> {
  return new ClearFront<Request>({
    dialects: DIALECTS,
    serves: true,
    decode(dialect, frames) {
      const asked = dialect.registry.decode(frames);
      return asked && toRequest(asked);
    },
    admit,
    isPaced: ({ op }) => OPERATIONS[op].paced === true,
    async answer({ registry: { list, registered } }, asked, { ip }) {
      const reply = await registry.handle({ ...asked, ip });
      return isList(reply) ? list(reply.groups) : registered;
    },
  });
}

function toRequest(asked: RegistryAsk): Request {
  switch (asked.op) {
    case "register": {
      const { name, address } = asked;
      return { op: "register_keyless", name, address, ip: "" };
    }
    case "list":
      return { op: "list", prefix: "", after: "", limit: MAX_LIST, user: asked.user, ip: "" };
    default:
      throw new Error(`Cannot ask ${JSON.stringify(asked satisfies never)}`);
  }
}

function isList(reply: Reply<Op>): reply is Reply<"list"> {
  return "groups" in reply;
}
