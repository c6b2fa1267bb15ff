/** A listening TCP socket that does not end and does not go deaf. */

import { type AddressInfo, createServer, isIP, type Server, type Socket } from "node:net";
import process from "node:process";
import { Refusal } from "../../errors.ts";
import { formatAddress, isIpc, parseAddress } from "../../protocol/names.ts";
import { bindError, bindPatiently, codeOf } from "../binding.ts";
import { knock } from "./knock.ts";

/** Connections the system keeps until they are accepted. */
const BACKLOG = 4_096;
/** Between two looks whether connections are still accepted, ms. */
const KNOCK_EVERY_MS = 2_000;

/** Deno's code for an address that this machine does not have. */
const REASONS = { EINVAL: "this machine has no such address; choose one of its own" };

export interface ListenOptions {
  /** `IP:PORT`. */
  readonly address: string;
  onConnection(socket: Socket): void;
  /** Something went wrong with accepting; it goes on. */
  onTrouble(what: string): void;
}

export class Listener {
  readonly #options: ListenOptions;
  readonly #server: Server;
  #host = "";
  #port = 0;
  #accepted = true;
  /** Knocks in a row that nobody heard; the first may have come to a busy program. */
  #unheard = 0;
  #knocking = false;
  #closed = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(options: ListenOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#accepted = true;
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
    return formatAddress({ host: this.#host, port: this.#port });
  }

  /** From now on nobody can connect. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#server.close();
  }

  async #bind(host: string, port: number): Promise<void> {
    await bindPatiently(() => listen(this.#server, host, port));
    this.#host = host;
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#server.on("error", (error) => this.#trouble(error));
    // Deno never accepts again once an accept found no descriptor free, and tells nobody.
    if (!process.versions.deno) return;
    this.#timer = setInterval(() => void this.#stayAwake(), KNOCK_EVERY_MS);
    this.#timer.unref();
  }

  #trouble(error: Error): void {
    this.#options.onTrouble(`accept: ${codeOf(error) ?? error.message}`);
  }

  /** Knocks where nobody else did, and listens anew when that is not heard. */
  async #stayAwake(): Promise<void> {
    const heard = this.#accepted;
    this.#accepted = false;
    if (this.#knocking) return;
    this.#knocking = true;
    const deaf = !heard && await knock(this.#host, this.#port) === "unheard" && !this.#accepted;
    this.#knocking = false;
    this.#unheard = deaf ? this.#unheard + 1 : 0;
    if (this.#closed || this.#unheard < 2) return;
    this.#unheard = 0;
    this.#options.onTrouble("accept: deaf, listens anew");
    this.#server.close();
    this.#server.listen({ host: this.#host, port: this.#port, backlog: BACKLOG });
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const listening = () => {
      server.off("error", failed);
      resolve();
    };
    const failed = (error: Error) => {
      server.off("listening", listening);
      reject(error);
    };
    server.once("listening", listening);
    server.once("error", failed);
    server.listen({ host, port, backlog: BACKLOG });
  });
}
