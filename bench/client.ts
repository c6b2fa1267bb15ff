/** What every client program does: ours and the peers' answer the same commands. */

import { program } from "./programs.ts";

/** One side's own JavaScript client. */
interface Client {
  /** @param name of the group; default the bench's own */
  connect(address: string, name?: string): Promise<void>;
  /** Resolves when the message is acknowledged. */
  publish(text: string): Promise<unknown>;
  /** The same, and to all live subscribers; default `publish`. */
  announce?(text: string): Promise<unknown>;
  /** Number of messages since a time (ms since 1970), read in full. */
  since(time: number): Promise<number>;
  /** Number of messages, all read in pages. */
  all(): Promise<number>;
}

/** How much to send, and how. */
interface Load {
  /** Messages that wait for their acknowledgement at once. */
  readonly inFlight: number;
  /** Bytes of a message. */
  readonly size: number;
  /** Whether live subscribers are to get it. */
  readonly live?: boolean;
  /** Ends after so many messages… */
  readonly count?: number;
  /** …or after so many seconds. */
  readonly seconds?: number;
}

/** Serves a client's commands until the bench ends. */
export function serveClient(client: Client): Promise<void> {
  const send = (live: boolean | undefined, text: string) =>
    live && client.announce ? client.announce(text) : client.publish(text);
  return program({
    connect: ({ address, name }: { address: string; name?: string }) =>
      client.connect(address, name),

    /** Messages a second, as fast as it goes. */
    async publish({ inFlight, size, live, count = Infinity, seconds = 60 }: Load) {
      const text = "x".repeat(size);
      const begin = performance.now();
      const end = begin + seconds * 1_000;
      let started = 0;
      const lane = async () => {
        while (started < count && performance.now() < end) {
          started++;
          await send(live, text);
        }
      };
      await Promise.all(Array.from({ length: inFlight }, lane));
      return { rate: started / (performance.now() - begin) * 1_000, count: started };
    },

    /** So many messages a second; the time of each call, ms. */
    async paced({ rate, count, size }: { rate: number; count: number; size: number }) {
      const text = "x".repeat(size);
      const calls: number[] = [];
      const sent: Promise<unknown>[] = [];
      const begin = performance.now();
      for (let i = 0; i < count; i++) {
        const due = begin + i * 1_000 / rate;
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
        calls.push(performance.timeOrigin + performance.now());
        sent.push(send(true, text));
      }
      await Promise.all(sent);
      return { calls };
    },

    /** How long it takes to read, ms, and how many there were. */
    async history({ since }: { since?: number }) {
      const begin = performance.now();
      const count = since === undefined ? await client.all() : await client.since(since);
      return { ms: performance.now() - begin, count };
    },
  });
}
