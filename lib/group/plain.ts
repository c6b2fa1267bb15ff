/** Serves dialect 002: the same service, asked by users who only claim who they are. */

import {
  decodeGroup002,
  encodeMessages002,
  FAILED,
  type GroupRequest002,
  SUCCESS,
} from "../dialects/seed002.ts";
import type { Frames, Peer } from "../transport/transport.ts";
import type { Reader } from "./pages.ts";
import { type PlainMessage, readAll, type ReadRequest } from "./reading.ts";
import type { GroupService } from "./service.ts";

/** Who reads, as long as it takes what it gets. */
const readers = new WeakMap<Peer, { open: boolean } & Reader>();

/** Answers one message of dialect 002, rubbish included: its clients wait for ever without. */
export function answer002(
  service: GroupService,
  peer: Peer,
  frames: Frames,
  log: (line: string, user: string) => void,
): void {
  peer.begin();
  const send = (reply: string) => {
    peer.end();
    const taken = peer.send([reply]);
    const reader = readers.get(peer);
    if (reader) reader.open = taken;
  };
  const now = service.now();
  try {
    const request = decodeGroup002(frames, now);
    if (!request) return send(FAILED);
    peer.admit();
    // Anyone can claim many ids, so that a connection has no more than one of them would have.
    const budget = request.op === "send" ? "messages" : "others";
    for (const who of [peer.id, request.user]) service.limits.take(budget, who, 1, now);
    run(service, request, peer, send, log);
  } catch {
    send(FAILED);
  }
}

function run(
  service: GroupService,
  request: GroupRequest002,
  peer: Peer,
  send: (reply: string) => void,
  log: (line: string, user: string) => void,
): void {
  const { user } = request;
  const actor = { user, name: user.slice(1, 9) };
  const done = { ok: () => send(SUCCESS), refuse: () => send(FAILED) };
  switch (request.op) {
    case "join":
      log("JOIN REQUEST", user);
      return service.join(actor, undefined, done);
    case "leave":
      log("LEAVE REQUEST", user);
      return service.leave(actor, done);
    case "send":
      log("MESSAGE SEND", user);
      return service.say(actor, request.text, done);
    case "read": {
      log("MESSAGE REQUEST", user);
      const page = (range: ReadRequest) => service.read(actor, range);
      const size = (message: PlainMessage) => encodeMessages002([message]).length;
      const make = () =>
        readAll(page, request.since, size)
          .then((list) => send(encodeMessages002(list)), done.refuse);
      const reader = readers.get(peer) ?? { open: true, peer };
      readers.set(peer, reader);
      return service.pages.add(reader, { make, drop: done.refuse });
    }
    default:
      throw new Error(`Cannot run ${JSON.stringify(request satisfies never)}`);
  }
}
