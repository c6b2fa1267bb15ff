/** The table of a group's requests: who may ask, what is logged, what is done. */

import { Refusal } from "../errors.ts";
import type { GroupRecord, GroupRequest } from "../protocol/schema.ts";
import type { Session } from "../session/server.ts";
import type { Budget } from "./limits.ts";
import type { Answer, GroupService } from "./service.ts";
import type { Actor } from "./state.ts";

/** What a command is run with. `answer.ok` takes an object, or its JSON text. */
export interface Context {
  readonly service: GroupService;
  readonly session: Session;
  readonly answer: Answer<object | string>;
  /** Size of the request's JSON, bytes. */
  readonly size: number;
  /** A ticket that brings the user's next handshake before those of strangers. */
  ticket(user: string): string;
  /** The group's signed record as it is now. */
  record(): GroupRecord;
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
    run(context: Context, request: Request<K>, actor: Actor): void;
  };

/** All others are told, and a leave gives each of them another key. */
const COMING_AND_GOING = 10;

/** `open`: may be asked before `prove`. */
const COMMANDS: { readonly [K in Op]: Command<K> } = {
  prove: {
    open: true,
    run({ service, session, answer, ticket }, proof) {
      const { user } = service.prove(session, proof);
      const member = service.state.members.get(user);
      answer.ok({
        user,
        role: member?.role ?? null,
        epoch: service.epoch,
        head: member ? service.head : 0,
        at: service.now(),
        ticket: ticket(user),
      });
    },
  },
  ping: {
    open: true,
    run({ service, session, answer }) {
      const { epoch, head, hash } = service;
      const member = service.state.members.has(session.actor?.user ?? "");
      answer.ok({ epoch, ...(member ? { head, hash } : { head: 0 }), at: service.now() });
    },
  },
  join: {
    open: false,
    line: "JOIN REQUEST",
    budget: "others",
    cost: COMING_AND_GOING,
    run({ service, answer }, { invite }, actor) {
      service.join(actor, invite, {
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
    run({ service, answer }, _, actor) {
      service.leave(actor, answer);
    },
  },
  send: {
    open: false,
    line: "MESSAGE SEND",
    budget: "messages",
    run({ service, session, answer, size }, { messages, sig, after }, actor) {
      service.send(actor, { messages, sig, size, place: { session, after } }, {
        ok: (accepted) => answer.ok({ epoch: service.epoch, accepted }),
        refuse: (error) => answer.refuse(error),
      });
    },
  },
  read: {
    open: false,
    line: "MESSAGE REQUEST",
    budget: "reads",
    run({ service, session, answer }, request, actor) {
      service.pages.add(session, {
        async make() {
          try {
            answer.ok(await service.read(actor, request));
          } catch (error) {
            answer.refuse(error);
          }
        },
        drop: () => answer.refuse(new Refusal("no_session", "Cannot read: the session is over")),
      });
    },
  },
  members: {
    open: false,
    budget: "others",
    run({ service, answer }, { after }, actor) {
      answer.ok(service.members(actor, after));
    },
  },
  subscribe: {
    open: false,
    budget: "others",
    run({ service, session, answer }, _, actor) {
      answer.ok({ epoch: service.epoch, ...service.subscribe(actor, session) });
    },
  },
  unsubscribe: {
    open: false,
    budget: "others",
    run({ service, session, answer }) {
      service.feed.unfollow(session);
      answer.ok({});
    },
  },
  typing: {
    open: false,
    budget: "others",
    run({ service, answer }, _, actor) {
      service.typing(actor);
      answer.ok({});
    },
  },
  invite: {
    open: false,
    line: "INVITE REQUEST",
    budget: "others",
    run({ service, answer, record }, request, actor) {
      service.invite(actor, request, {
        ok: (invite) => answer.ok({ ...invite, record: record() }),
        refuse: (error) => answer.refuse(error),
      });
    },
  },
  act: {
    open: false,
    line: "ACT REQUEST",
    budget: "others",
    run({ service, answer }, request, actor) {
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
  const { service, session } = context;
  const { actor } = session;
  const now = service.now();
  if (command.open) {
    service.limits.take("unproved", session.peer.id, 1, now);
    return command.run(context, request as never);
  }
  if (!actor) throw new Refusal("no_session", "Cannot serve the request: prove a key first");
  const count = request.op === "send" ? request.messages.length : command.cost ?? 1;
  service.limits.take(command.budget, actor.user, count, now);
  if (command.line) log(command.line, actor.user);
  command.run(context, request as never, actor);
}
