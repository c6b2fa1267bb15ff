/** A listening TCP socket that does not end and does not go deaf. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, isIP, type Server, type Socket } from "node:net";
import process from "node:process";
import { Refusal } from "../../errors.ts";
import { type Endpoint, formatAddress, isIpc, parseAddress } from "../../text/addresses.ts";
import { bindError, bindWithRetries, codeOf, NOT_HERE } from "../binding.ts";
import { startTicking, stopTicking, TICK_MS } from "../ticker.ts";

/** Connections the system keeps until they are accepted. */
const BACKLOG = 4_096;
/**
 * Between two looks whether connections are still accepted, ms: doubled while nobody comes, since
 * only who holds descriptors makes a listener deaf.
 */
const [LOOK_AFTER_MS, MOST_LOOK_AFTER_MS] = [2_000, 16_000];

/** How long an accept may take, in ticks: while this program stands still, it accepts nobody. */
const PROBE_TICKS = 1_000 / TICK_MS;

/** Deno's code for an address that this machine does not have. */
const REASONS = { EINVAL: NOT_HERE };

interface ListenOptions {
  /** `IP:PORT`. */
  readonly address: string;
  onConnection(socket: Socket): void;
  /** Something went wrong with accepting; it goes on. */
  onTrouble(what: string): void;
}

export class Listener {
  readonly #options: ListenOptions;
  readonly #server: Server;
  #bound: Endpoint = { host: "", port: 0 };
  #accepted = true;
  /** Probes in a row that nobody heard; the first may have come to a busy program. */
  #unheard = 0;
  #closed = false;
  /** How long the next look is put off, ms. */
  #pause = LOOK_AFTER_MS;
  /** None while it looks. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(options: ListenOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#accepted = true;
      if (this.#timer && this.#pause > LOOK_AFTER_MS) this.#lookAfter(LOOK_AFTER_MS);
      options.onConnection(socket);
    });
  }

  /** @throws {Refusal} `address_taken`, `bad_request` */
  static async open(options: ListenOptions): Promise<Listener> {
    const listener = new Listener(options);
    const parsed = parseAddress(options.address);
    if (!parsed || isIP(parsed.host) === 0) {
      const wayOut = isIpc(options.address) ? "; ipc:// needs --transport libzmq" : "";
      const message = `Cannot bind ${options.address}: it should be IP:PORT${wayOut}`;
      throw new Refusal("bad_request", message);
    }
    try {
      await listener.#bind(parsed.host, parsed.port);
    } catch (error) {
      throw bindError(options.address, error, REASONS);
    }
    return listener;
  }

  /** `IP:PORT`, with the real port. */
  get address(): string {
    return formatAddress(this.#bound);
  }

  /** From now on nobody can connect. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#server.close();
  }

  async #bind(host: string, port: number): Promise<void> {
    await bindWithRetries(() =>
      once(this.#server.listen({ host, port, backlog: BACKLOG }), "listening")
    );
    this.#bound = { host, port: (this.#server.address() as AddressInfo).port };
    this.#server.on("error", (error) => {
      this.#options.onTrouble(`accept: ${codeOf(error) ?? error.message}`);
    });
    // Deno never accepts again once an accept found no descriptor free, and tells nobody.
    if (process.versions.deno) this.#lookAfter(LOOK_AFTER_MS);
  }

  #lookAfter(pause: number): void {
    clearTimeout(this.#timer);
    this.#pause = pause;
    this.#timer = setTimeout(() => void this.#stayAwake(), pause);
    this.#timer.unref();
  }

  /** Connects where nobody else did, and listens anew when that is not heard. */
  async #stayAwake(): Promise<void> {
    this.#timer = undefined;
    const came = this.#accepted;
    this.#accepted = false;
    const probed = came ? undefined : await probe(this.#bound);
    if (this.#closed) return;
    this.#unheard = probed === "unheard" && !this.#accepted ? this.#unheard + 1 : 0;
    if (this.#unheard === 2) {
      this.#unheard = 0;
      this.#options.onTrouble("accept: deaf, listens anew");
      this.#server.close();
      this.#server.listen({ ...this.#bound, backlog: BACKLOG });
    }
    const calm = probed === "heard";
    if (calm) this.#accepted = false; // That was us.
    this.#lookAfter(calm ? Math.min(2 * this.#pause, MOST_LOOK_AFTER_MS) : LOOK_AFTER_MS);
  }
}

/**
 * Connects to an own port and waits for a word or an end: either shows that the connection was
 * accepted. `unsure` when no connection could be tried, for want of descriptors above all.
 */
function probe({ host, port }: Endpoint): Promise<"heard" | "unheard" | "unsure"> {
  return new Promise((resolve) => {
    let connected = false;
    let ticks = 0;
    const socket = connect({ host: reachable(host), port });
    const end = (what: "heard" | "unheard" | "unsure") => {
      stopTicking(timeout);
      socket.destroy();
      resolve(what);
    };
    const timeout = {
      tick: () => ++ticks > PROBE_TICKS && end(connected ? "unheard" : "unsure"),
    };
    startTicking(timeout);
    socket.on("connect", () => connected = true);
    socket.on("data", () => end("heard"));
    socket.on("end", () => end("heard"));
    socket.on("error", (error) => {
      const refused = codeOf(error) === "ECONNREFUSED";
      end(connected ? "heard" : refused ? "unheard" : "unsure");
    });
  });
}

function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return /^[0:]+$/.test(host) ? "::1" : host;
}
