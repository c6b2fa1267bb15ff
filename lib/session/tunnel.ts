/** What a client says to one server and hears of it, sealed. */

import { BadReply, Foreign, Refusal, sentence } from "../errors.ts";
import { isOurs } from "../protocol/codec.ts";
import { MAGIC, MAX_PACKET } from "../protocol/limits.ts";
import { backoff } from "../transport/waiting.ts";
import { type Channel, FOREIGN, type Frames, type Transport } from "../transport/transport.ts";
import { Deadline } from "./deadline.ts";
import { readAnswer, type ServerIdentity, transcriptOf } from "./identity.ts";
import { Initiator, type Split } from "./noise.ts";
import { decodeReset, HEAD, KIND, PROLOGUE } from "./packet.ts";

interface TunnelOptions {
  readonly transport: Transport;
  readonly address: string;
  /** Who is meant, for sentences: `the group "Lab" at HOST:PORT`. */
  readonly who: string;
  /** Throws unless this is who is meant. */
  check(identity: ServerIdentity): void;
  /** The ticket to show, if there is one. */
  ticket(): Uint8Array | undefined;
  /** Sealed from here on. What it throws refuses the server. */
  sealed(identity: ServerIdentity, transcript: string): void;
  /** A sealed text came. */
  readonly said: (plaintext: Uint8Array) => void;
  /** A feed packet came, while there is a session. */
  readonly fed: (packet: Uint8Array) => void;
  /** What was sealed is no more, or a try failed; `error` is what the server is refused for. */
  lost(why: string, error?: unknown): void;
  /** The server is there, and another try is made over the same connection a little later. */
  putOff(why: string): void;
  /** The server is not the one, or does not want us: nothing is tried before {@linkcode Tunnel.want}. */
  refused(error: unknown): void;
}

/** How long an answer to the hello may take, ms. */
const GREET_WITHIN = 5_000;
/** The same where nobody says that a connection is gone. */
const GREET_AGAIN = 2_000;
/** How long a busy server is left in peace at most, ms; it does not wait for us for ever. */
const MOST_PUT_OFF = 2_000;
/** Between two tries, ms: doubled from the first to the most. */
const [FIRST_PAUSE, MOST_PAUSE] = [250, 5_000];
/** A session that lasted this long was none that fails at once, ms. */
const LASTED = 1_000;
/** How often a packet is offered to a channel that took none, ms. */
const OFFER_EVERY = 20;
const NOTHING = new Uint8Array(0);

/** Connected, greeted, sealed once the server proved who it is; and again when that is lost. */
export class Tunnel {
  readonly #options: TunnelOptions;
  #channel: Channel | undefined;
  #connected = false;
  /** A hello is out, and its answer is not here. */
  #hello: Initiator | undefined;
  #split: Split | undefined;
  #since = 0;
  /** Sealed packets that the channel did not take: they go out in order, or none behind opens. */
  #kept: Uint8Array[] = [];
  /** Tries that failed one after the other. */
  #failed = 0;
  /** Nothing is tried before, by `performance.now()`. */
  #notBefore = 0;
  #timer: Deadline | undefined;
  #offer: ReturnType<typeof setTimeout> | undefined;
  /** Channels that still close. */
  readonly #closing = new Set<Promise<void>>();

  /** @throws {UsageError} not an address */
  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#connect();
  }

  /** True while more can be said: the channel took all that was. */
  get free(): boolean {
    return this.#kept.length === 0;
  }

  /** Somebody waits for the server: a try is under way, or one begins when it may. */
  want(): void {
    if (this.#channel || this.#timer) return;
    this.#after(this.#notBefore - performance.now(), () => {
      try {
        this.#connect();
      } catch (error) {
        this.refuse(error); // No descriptor is left, say.
      }
    });
  }

  /** Seals a text and sends it, in order; while {@linkcode free} is false it waits here. */
  say(text: string): void {
    if (!this.#split) return;
    const packet = this.#split.send.seal(text, HEAD.sealed);
    if (this.free && this.#channel?.send([MAGIC, packet])) return;
    if (this.#kept.push(packet) === 1) this.#offerLater();
  }

  #offerLater(): void {
    this.#offer = setTimeout(() => {
      let sent = 0;
      while (sent < this.#kept.length && this.#channel?.send([MAGIC, this.#kept[sent]])) sent++;
      this.#kept.splice(0, sent);
      if (!this.free) this.#offerLater();
    }, OFFER_EVERY);
  }

  /** Makes a new session on the same connection. */
  renew(): void {
    this.#drop();
    this.#greet();
  }

  /** The server is of no use to us: it hears no more, and is tried again when somebody wants it. */
  refuse(error: unknown): void {
    this.#defer(error instanceof Refusal ? error.retryAfter ?? 0 : 0);
    this.#drop();
    this.#options.lost(sentence(error), error);
    this.#release();
    this.#options.refused(error);
  }

  /** What is there is of no use: begins again, on a new connection where that helps. */
  fail(why: string): void {
    this.#defer();
    this.#drop();
    this.#options.lost(why);
    if (this.#options.transport.watchful) this.#channel?.reconnect(why);
    else this.#greet();
  }

  async close(): Promise<void> {
    this.#drop();
    this.#release();
    await Promise.all(this.#closing);
  }

  #release(): void {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#connected = false;
    if (!channel) return;
    const closing = channel.close()
      .catch(() => {}) // It is of no use already.
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #connect(): void {
    const { transport, address } = this.#options;
    this.#channel = transport.connect({
      address,
      protocol: MAGIC,
      maxFrame: MAX_PACKET,
      onMessage: this.#receive,
      onConnected: () => {
        this.#connected = true;
        this.#greet();
      },
      onGone: (why) => {
        this.#connected = false;
        if (why === FOREIGN) this.refuse(this.#foreign());
        else this.#lose(why);
      },
    });
  }

  #foreign(): Foreign {
    const { address, who } = this.#options;
    return new Foreign(
      address,
      `Cannot talk to ${who}: what is there does not speak ${MAGIC}, so nothing was said to it; ` +
        "is it zgroup, of this version? One of the original programs is used with its own",
    );
  }

  /** The next try waits, longer with each that failed one after the other. */
  #defer(least = 0): void {
    if (this.#lasted()) this.#failed = 0;
    this.#notBefore = performance.now() + Math.max(least, this.#backoff());
  }

  #backoff(): number {
    return backoff(this.#failed++, FIRST_PAUSE, MOST_PAUSE);
  }

  #lasted(): boolean {
    return this.#split !== undefined && performance.now() - this.#since >= LASTED;
  }

  #after(ms: number, act: () => void): void {
    this.#timer?.clear();
    this.#timer = new Deadline(() => {
      this.#timer = undefined;
      act();
    }, ms);
  }

  #greet(): void {
    const pause = this.#notBefore - performance.now();
    if (pause <= 0) this.#sayHello();
    else this.#after(pause, () => this.#sayHello());
  }

  #sayHello(): void {
    if (!this.#connected) return; // A connection that comes says hello itself.
    const { ticket, transport } = this.#options;
    const hello = new Initiator(PROLOGUE);
    const packet = hello.write(ticket() ?? NOTHING, HEAD.hello);
    this.#hello = hello;
    this.#channel?.send([MAGIC, packet]); // If it cannot be sent now, it is said again.
    if (transport.watchful) this.#after(GREET_WITHIN, () => this.fail("no answer to the hello"));
    else {
      this.#after(GREET_AGAIN, () => {
        this.#drop();
        this.#options.lost("no answer to the hello");
        this.#sayHello();
      });
    }
  }

  /** What there was is over: at once, or after a pause where it hardly began. */
  #lose(why: string): void {
    if (this.#lasted()) this.#failed = 0;
    else if (this.#hello || this.#split) this.#defer();
    this.#drop();
    this.#options.lost(why);
  }

  #drop(): void {
    this.#timer?.clear();
    clearTimeout(this.#offer);
    this.#timer = undefined;
    this.#hello = undefined;
    this.#split = undefined;
    this.#kept = [];
  }

  readonly #receive = (frames: Frames): void => {
    const packet = frames[1];
    if (!isOurs(frames) || frames.length !== 2 || packet.length === 0) {
      return this.fail("what answers does not speak this protocol");
    }
    switch (packet[0]) {
      case KIND.reset:
        return this.#reset(packet);
      case KIND.answer:
        return this.#answer(packet.subarray(1));
      case KIND.sealed:
        return this.#sealed(packet.subarray(1));
      case KIND.feed:
        if (this.#split) this.#options.fed(packet);
        return;
      default:
        return this.fail("a packet of no kind that a server sends");
    }
  };

  #reset(packet: Uint8Array): void {
    if (decodeReset(packet) === "busy") return this.#busy();
    if (!this.#split) return; // Said of what went out before.
    this.#lose("it has no session for us");
    this.#greet();
  }

  /** Nothing is lost: it has not come to us yet. */
  #busy(): void {
    if (!this.#hello) return;
    this.#notBefore = performance.now() + Math.min(MOST_PUT_OFF, this.#backoff());
    this.#drop();
    this.#options.putOff("it is busy");
    this.#greet();
  }

  #answer(message: Uint8Array): void {
    if (!this.#hello) return;
    const { who, check, sealed } = this.#options;
    let answer;
    try {
      answer = this.#hello.read(message);
    } catch {
      // Where a hello is said again, this may be the answer to the former one, and ours comes yet.
      return this.#options.transport.watchful ? this.fail("its answer does not open") : undefined;
    }
    this.#drop();
    try {
      const identity = believed(answer.payload, answer.before, who);
      check(identity);
      this.#split = answer;
      this.#since = performance.now();
      sealed(identity, transcriptOf(answer.hash));
    } catch (error) {
      this.refuse(error);
    }
  }

  #sealed(ciphertext: Uint8Array): void {
    if (!this.#split) return; // Of a session that is over.
    let plaintext;
    try {
      plaintext = this.#split.receive.open(ciphertext);
    } catch {
      return this.fail("a packet of it does not open");
    }
    this.#options.said(plaintext);
  }
}

/** @throws {BadReply} */
function believed(payload: Uint8Array, before: Uint8Array, who: string): ServerIdentity {
  try {
    return readAnswer(payload, before);
  } catch (cause) {
    throw new BadReply(`Cannot use the answer of ${who}: ${sentence(cause)}`, { cause });
  }
}
