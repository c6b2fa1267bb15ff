/** The table of a group's requests: who may ask, what is logged, what is done. */

import type { GroupRequest } from "../protocol/schema.ts";
import type { Peer } from "../transport/transport.ts";
import type { Budget } from "./limits.ts";
import type { Answer, GroupService } from "./service.ts";
import type { Session } from "./sessions.ts";

/** What a command is run with. `answer.ok` takes an object, or its JSON text. */
export interface Context {
  readonly service: GroupService;
  readonly peer: Peer;
  readonly answer: Answer<object | string>;
  /** Size of the request's JSON, bytes. */
  readonly size: number;
  /** `IP:PORT` of the live feed. */
  readonly live: string;
  /** `IP:PORT` of the door; empty for a group in the clear. */
  readonly door: string;
}

type Op = GroupRequest["op"];
type Request<K extends Op> = Extract<GroupRequest, { op: K }>;

type Command<K extends Op> =
  | { readonly open: true; run(context: Context, request: Request<K>): void }
  | {
    readonly open: false;
    /** Logged as `<line> FROM <user id>`. */
    readonly line?: string;
    /** The budget that the request is taken from; `messages` counts each message. */
    readonly budget: Budget;
    /** What it takes; default 1. */
    readonly cost?: number;
    run(context: Context, request: Request<K>, session: Session): void;
  };

/** A leave makes every other member subscribe again. */
const COMING_AND_GOING = 10;

/** `open`: may be asked before `prove`. */
const COMMANDS: { readonly [K in Op]: Command<K> } = {
  hello: {
    open: true,
    run({ service, peer, answer }, { key, name }) {
      const { id, name: group, key: groupKey, nonce: groupNonce } = service.identity;
      answer.ok({
        nonce: service.sessions.challenge(peer, key, name),
        group: { id, name: group, key: groupKey, nonce: groupNonce },
        epoch: service.epoch,
      });
    },
  },
  prove: {
    open: true,
    run({ service, peer, answer }, { sig }) {
      const { token, actor } = service.sessions.prove(peer, sig, service.now());
      const member = service.state.members.get(actor.user);
      answer.ok({
        session: token,
        user: actor.user,
        role: member?.role ?? null,
        epoch: service.epoch,
        head: member ? service.head : 0,
        at: service.now(),
      });
    },
  },
  ping: {
    open: true,
    run({ service, peer, answer }, { session }) {
      const now = service.now();
      const user = session && service.sessions.use(session, peer, now).actor.user;
      const { epoch, head, hash } = service;
      const shown = service.state.members.has(user ?? "") ? { head, hash } : { head: 0 };
      answer.ok({ epoch, ...shown, at: now });
    },
  },
  join: {
    open: false,
    line: "JOIN REQUEST",
    budget: "others",
    cost: COMING_AND_GOING,
    run({ service, answer }, { curve }, { actor }) {
      service.join(actor, curve, {
        ok: (joined) => answer.ok({ epoch: service.epoch, ...joined }),
        refuse: (error) => answer.refuse(error),
      });
    },
  },
  leave: {
    open: false,
    line: "LEAVE REQUEST",
    budget: "others",
    cost: COMING_AND_GOING,
    run({ service, answer }, _, { actor }) {
      service.leave(actor, answer);
    },
  },
  send: {
    open: false,
    line: "MESSAGE SEND",
    budget: "messages",
    run({ service, answer, size }, { messages, sig }, { actor }) {
      service.send(actor, messages, sig, size, {
        ok: (accepted) => answer.ok({ epoch: service.epoch, accepted }),
        refuse: (error) => answer.refuse(error),
      });
    },
  },
  read: {
    open: false,
    line: "MESSAGE REQUEST",
    budget: "reads",
    run({ service, answer }, request, { actor }) {
      service.read(actor, request).then(
        (text) => answer.ok(text),
        (error) => answer.refuse(error),
      );
    },
  },
  members: {
    open: false,
    budget: "others",
    run({ service, answer }, { after }, { actor }) {
      answer.ok(service.members(actor, after));
    },
  },
  subscribe: {
    open: false,
    budget: "others",
    run({ service, answer, live }, _, { actor }) {
      answer.ok({ token: service.subscribe(actor), live, epoch: service.epoch });
    },
  },
  typing: {
    open: false,
    budget: "others",
    run({ service, answer }, _, { actor }) {
      service.typing(actor);
      answer.ok({});
    },
  },
  invite: {
    open: false,
    line: "INVITE REQUEST",
    budget: "others",
    run({ service, answer, door }, request, { actor }) {
      service.invite(actor, request, {
        ok: (invite) => answer.ok({ ...invite, door }),
        refuse: (error) => answer.refuse(error),
      });
    },
  },
  act: {
    open: false,
    line: "ACT REQUEST",
    budget: "others",
    run({ service, answer }, request, { actor }) {
      service.act(actor, request, answer);
    },
  },
};

/** Runs a checked request. @throws {Refusal} what can be said at once */
export function runCommand(
  context: Context,
  request: GroupRequest,
  log: (line: string, user: string) => void,
): void {
  const command = COMMANDS[request.op] as Command<Op>;
  const { service, peer } = context;
  const now = service.now();
  if (command.open) {
    service.limits.take("unproved", peer.id, 1, now);
    return command.run(context, request as never);
  }
  const token = (request as { session: string }).session;
  const session = service.sessions.use(token, peer, now);
  const count = request.op === "send" ? request.messages.length : command.cost ?? 1;
  service.limits.take(command.budget, session.actor.user, count, now);
  if (command.line) log(command.line, session.actor.user);
  command.run(context, request as never, session);
}
