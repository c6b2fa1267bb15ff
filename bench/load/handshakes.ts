/** Handshakes that cost next to nothing on this side: hellos are made beforehand, answers counted. */

import { newSigningKey } from "../../lib/identity/keys.ts";
import { MAGIC } from "../../lib/protocol/limits.ts";
import { serverText } from "../../lib/protocol/record.ts";
import { ephemeral, Initiator, Responder } from "../../lib/session/noise.ts";
import { HEAD, KIND, PROLOGUE } from "../../lib/session/packet.ts";
import { ticketBytes } from "../../lib/session/ticket.ts";
import { program } from "../programs.ts";
import { NAME } from "../servers.ts";
import { concat, encodeMessage } from "../wire/zmtp.ts";
import { findGroup, RawSession } from "./session.ts";

/** Users that connect at once. */
const LANES = 16;
/** A server that is busy is asked again after so long, ms. */
const AGAIN = 100;

/** A user who proved its key, and says hello again and again. */
interface Holder {
  readonly session: RawSession;
  readonly hello: Uint8Array;
}

const holders: Holder[] = [];
let answers = 0;
let resets = 0;
let running = false;

await program({
  /** So many users connect and get a ticket. */
  async connect({ address, users }: { address: string; users: number }) {
    const group = await findGroup(address, NAME);
    let left = users;
    const lane = async () => {
      while (left-- > 0) holders.push(await holder(group.address));
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  },

  /** Answers within so many seconds, when each user says hello again once it is answered. */
  async run({ seconds }: { seconds: number }) {
    running = true;
    [answers, resets] = [0, 0];
    for (const { session, hello } of holders) void session.write(hello);
    const begin = performance.now();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    running = false;
    return { answers, resets, rate: answers / (performance.now() - begin) * 1_000 };
  },

  /** Handshakes in so many seconds of a loop that does nothing else, and has no connection. */
  alone({ seconds }: { seconds: number }) {
    const key = newSigningKey();
    const hello = new Initiator(PROLOGUE).write(new Uint8Array(52));
    const begin = performance.now();
    let done = 0;
    for (; performance.now() - begin < seconds * 1_000; done++) {
      const responder = new Responder(PROLOGUE);
      responder.read(hello);
      responder.write((before) => key.sign(serverText(before.toString())), HEAD.answer);
    }
    return { done };
  },
});

/** Proves a key, so that the group takes it for a member's; from then on nobody reads the answers. */
async function holder(address: string): Promise<Holder> {
  const session = await RawSession.open(address);
  const { ticket } = await session.prove(newSigningKey());
  const bytes = ticketBytes(String(ticket));
  if (!bytes) throw new Error("The group gave no ticket");
  const hello = encodeMessage([MAGIC, concat([HEAD.hello, ephemeral().publicKey, bytes])]);
  const again = () => {
    if (running) void session.write(hello);
  };
  session.handOver((kind) => {
    if (kind === KIND.answer) {
      answers++;
      again();
    } else {
      resets++;
      setTimeout(again, AGAIN);
    }
  });
  return { session, hello };
}
