/**
 * Tells which sockets have something to do, on Deno only.
 *
 * Node's event loop watches a ZeroMQ socket well: there {@linkcode watchSockets} gives undefined
 * and a socket is read with a plain `await socket.receive()`. Deno's libuv shim loses wake-ups and
 * frees memory that is still in use, so that on Deno no operation may wait inside zeromq.js.
 */

import { setImmediate } from "node:timers";
import { pause } from "../waiting.ts";

/** The part of a zeromq.js socket that the transport uses. */
export interface RawSocket {
  readonly readable: boolean;
  receiveTimeout: number;
  receive(): Promise<Uint8Array[]>;
  send(frames: readonly (Uint8Array | string)[] | string): Promise<void>;
  close(): void;
  getInt32Option(option: number): number;
}

/** A socket as the watcher sees it. */
export interface Watched {
  readonly socket: RawSocket;
  /** Called whenever the socket may have changed state; true when that started some work. */
  look(): boolean;
}

/** Calls {@linkcode Watched.look} of every socket that may have something to do. */
export interface Watcher {
  /** Call before the socket is read, written or looked at: each of these may eat a wake-up. */
  add(watched: Watched): void;
  /** Call after the socket was closed. Removing the last one waits until nothing looks any more. */
  remove(watched: Watched): Promise<void>;
}

/** Two connected sockets: what is sent into `bell` makes `ear` readable. */
export interface Doorbell {
  readonly bell: RawSocket;
  readonly ear: RawSocket;
}

interface Ffi {
  build: { os: string };
  dlopen(library: string, symbols: Record<string, unknown>): { symbols: PollSymbols };
}

type Poll<R> = (fds: Uint8Array, count: number | bigint, timeout: number) => R;

interface PollSymbols {
  now: Poll<number>;
  later: Poll<Promise<number>>;
  ppoll?(fds: Uint8Array, count: number | bigint, time: Uint8Array, mask: null): number;
}

interface PollCalls extends Omit<PollSymbols, "ppoll"> {
  /** Waits for {@linkcode BRIEF_NS} where the operating system can wait so short, else not at all. */
  briefly(fds: Uint8Array, count: number | bigint): number;
}

const deno = (globalThis as unknown as { Deno?: Ffi }).Deno;

const ZMQ_FD = 14;
/** Turns of the event loop without traffic before a thread of its own waits: that costs a hop. */
const SPIN = 10;
/** The first of them do not wait: what the last message caused comes first. */
const FREE = 2;
/** The others wait so long, ns: no longer than a bit of work takes, for whatever else runs here. */
const BRIEF_NS = 150_000n;
/** Signals to this process interrupt so many polls in a row at most; more is another failure. */
const SIGNALS = 16;
/** No wake-up was ever seen lost; if one were, it would be found after this many ms. */
const FALLBACK_POLL_MS = 1_000;

/** How often the fallback found a message that no wake-up had told of; 0 in every soak. */
export const watcherCounters = { rescued: 0 };

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * A watcher for this runtime; undefined where the engine can wait by itself (Node).
 * `ffi: false` polls in JavaScript, as happens without permission to call the C library.
 */
export function watchSockets(
  makeDoorbell: () => Doorbell,
  ffi: boolean,
): Watcher | undefined {
  if (deno === undefined) return undefined;
  const platform = PLATFORMS[deno.build.os] ?? PLATFORMS.linux;
  const poll = ffi ? openPoll(deno, platform) : undefined;
  return poll ? new PollWatcher(makeDoorbell, poll, platform) : new TimerWatcher();
}

/** How poll(2) and its `struct pollfd` look on one operating system. */
interface Platform {
  readonly library: string;
  readonly symbol: string;
  readonly count: "u32" | "u64";
  /** Bytes of one: the socket takes half of them, then come what is asked and what is found. */
  readonly size: number;
  readonly events: number;
}

const POSIX = { symbol: "poll", size: 8, events: 1 } as const;

const PLATFORMS: Record<string, Platform> = {
  linux: { ...POSIX, library: "libc.so.6", count: "u64" },
  darwin: { ...POSIX, library: "libSystem.B.dylib", count: "u32" },
  windows: {
    library: "ws2_32.dll",
    symbol: "WSAPoll",
    count: "u32",
    size: 16,
    events: 0x300,
  },
};

function openPoll(ffi: Ffi, platform: Platform): PollCalls | undefined {
  const { library, symbol, count } = platform;
  const signature = { name: symbol, parameters: ["buffer", count, "i32"], result: "i32" };
  const ppoll = { parameters: ["buffer", count, "buffer", "pointer"], result: "i32" };
  try {
    const symbols = ffi.dlopen(library, {
      now: signature,
      later: { ...signature, nonblocking: true },
      ...ffi.build.os === "linux" && { ppoll },
    }).symbols;
    const { now, later, ppoll: wait } = symbols;
    const time = new Uint8Array(new BigInt64Array([0n, BRIEF_NS]).buffer);
    return {
      now,
      later,
      briefly: (fds, count) => wait ? wait(fds, count, time, null) : now(fds, count, 0),
    };
  } catch {
    return undefined; // no permission or another C library: timers do
  }
}

/** The `struct pollfd[]` of one call. */
class PollTable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number | bigint;
  readonly #view: DataView;
  readonly #platform: Platform;

  constructor(fds: number[], platform: Platform) {
    this.#platform = platform;
    this.bytes = new Uint8Array(fds.length * platform.size);
    this.count = platform.count === "u64" ? BigInt(fds.length) : fds.length;
    this.#view = new DataView(this.bytes.buffer);
    fds.forEach((fd, index) => {
      const at = index * platform.size;
      this.#view.setInt32(at, fd, true);
      this.#view.setInt16(at + platform.size / 2, platform.events, true);
    });
  }

  /** Whether the last call found something at this index. */
  ready(index: number): boolean {
    const { size } = this.#platform;
    return this.#view.getInt16(index * size + size / 2 + 2, true) !== 0;
  }
}

/** One poll(2) over all sockets; the event loop sleeps in it while there is no traffic. */
class PollWatcher implements Watcher {
  readonly #fds = new Map<Watched, number>();
  readonly #makeDoorbell: () => Doorbell;
  readonly #poll: PollCalls;
  readonly #platform: Platform;
  #doorbell: Doorbell | undefined;
  #changed = false;
  #rung = false;
  #atRest: (() => void)[] = [];

  constructor(makeDoorbell: () => Doorbell, poll: PollCalls, platform: Platform) {
    this.#makeDoorbell = makeDoorbell;
    this.#poll = poll;
    this.#platform = platform;
  }

  add(watched: Watched): void {
    this.#fds.set(watched, watched.socket.getInt32Option(ZMQ_FD));
    this.#changed = true;
    if (this.#doorbell !== undefined) return this.#ring();
    this.#rung = false;
    this.#doorbell = this.#makeDoorbell();
    void this.#run(this.#doorbell);
  }

  async remove(watched: Watched): Promise<void> {
    if (!this.#fds.delete(watched)) return;
    this.#changed = true;
    this.#ring();
    if (this.#fds.size > 0 || this.#doorbell === undefined) return;
    await new Promise<void>((resolve) => this.#atRest.push(resolve));
  }

  #ring(): void {
    if (this.#rung) return;
    this.#rung = true;
    this.#doorbell?.bell.send("").catch(() => {}); // cannot fill up: one ring until it is heard
  }

  async #run(doorbell: Doorbell): Promise<void> {
    const earFd = doorbell.ear.getInt32Option(ZMQ_FD);
    let watched: Watched[] = [];
    let table = new PollTable([earFd], this.#platform);
    let quiet = 0;
    let failures = 0;
    while (this.#fds.size > 0) {
      if (this.#changed) {
        this.#changed = false;
        watched = [...this.#fds.keys()];
        table = new PollTable([earFd, ...this.#fds.values()], this.#platform);
        this.#settle();
      }
      const spinning = quiet < SPIN;
      if (spinning) await turn();
      // Once more after the long wait: what came while it was on its way back was not lost.
      const found =
        (!spinning && await this.#poll.later(table.bytes, table.count, FALLBACK_POLL_MS)) ||
        (quiet >= FREE && spinning
          ? this.#poll.briefly(table.bytes, table.count)
          : this.#poll.now(table.bytes, table.count, 0));
      quiet = found > 0 ? 0 : quiet + (found === 0 ? 1 : 0);
      if (table.ready(0)) await this.#hear(doorbell.ear);
      failures = found < 0 ? failures + 1 : 0;
      if (found > 0) this.#lookAtReady(watched, table);
      else if (found === 0 && !spinning) watcherCounters.rescued += this.#lookAtAll(watched);
      // Not a signal, which interrupts once: no memory, too many descriptors. Slower, but on.
      if (failures > SIGNALS) {
        this.#lookAtAll(watched); // What is found was told by nobody, for nobody could be asked.
        await pause(5);
      }
    }
    this.#doorbell = undefined;
    doorbell.bell.close();
    doorbell.ear.close();
    this.#settle();
  }

  async #hear(ear: RawSocket): Promise<void> {
    while (ear.readable) await ear.receive();
    this.#rung = false; // last: a ring that is drained here must not silence the next one
  }

  #lookAtReady(watched: Watched[], table: PollTable): void {
    for (let index = 0; index < watched.length; index++) {
      if (table.ready(index + 1)) watched[index].look();
    }
  }

  /** How many had something. */
  #lookAtAll(watched: Watched[]): number {
    return watched.filter((one) => one.look()).length;
  }

  #settle(): void {
    for (const resolve of this.#atRest.splice(0)) resolve();
  }
}

/** Looks at all sockets by turns: at once while there is traffic, every 15 ms when idle. */
class TimerWatcher implements Watcher {
  readonly #watched = new Set<Watched>();
  #running = false;

  add(watched: Watched): void {
    this.#watched.add(watched);
    if (!this.#running) void this.#run();
  }

  remove(watched: Watched): Promise<void> {
    this.#watched.delete(watched);
    return Promise.resolve();
  }

  async #run(): Promise<void> {
    this.#running = true;
    let quiet = 0;
    while (this.#watched.size > 0) {
      let busy = false;
      for (const one of this.#watched) busy = one.look() || busy;
      quiet = busy ? 0 : quiet + 1;
      if (quiet < 64) await turn();
      else await pause(quiet < 256 ? 1 : quiet < 512 ? 4 : 15);
    }
    this.#running = false;
  }
}
