/** The original Python programs, as processes: servers of five dialects, and who asks them. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Process } from "./processes.ts";

/** The first Python that has ZeroMQ. */
const python = ["/usr/bin/python3", "python3"].find((program) =>
  spawnSync(program, ["-c", "import zmq"]).status === 0
);

/** For tests that need it: why they cannot run. */
export const skip: string | false = python
  ? false
  : "no Python with ZeroMQ: install Debian's package python3-zmq (apt install python3-zmq)";

/** A script of `python/`. */
export function script(name: string, ...args: string[]): Process {
  return new Process([python!, fileURLToPath(new URL(`python/${name}`, import.meta.url)), ...args]);
}

/** A REQ client that sends what it is told to. */
export class Client implements AsyncDisposable {
  readonly #process = script("client_002.py");

  /** The text of the reply; fails when none comes. */
  async text(to: string, request: { json?: unknown; text?: string; ms?: number }): Promise<string> {
    this.#process.write(JSON.stringify({ to, ...request }) + "\n");
    const { reply } = JSON.parse(await this.#process.line(/^{/));
    if (reply === null) throw new Error(`No reply of one frame to ${JSON.stringify(request)}`);
    return reply;
  }

  async ask(to: string, json: unknown): Promise<unknown> {
    return JSON.parse(await this.text(to, { json }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#process.finish();
    return this.#process[Symbol.asyncDispose]();
  }
}

/** A group server of one of the originals; it ends where they did. */
export class Original implements AsyncDisposable {
  readonly #process: Process;
  readonly address: string;
  readonly #got: string[] = [];

  private constructor(process: Process, address: string) {
    this.#process = process;
    this.address = address;
  }

  /** @param address where it listens; default a free port */
  static async start(dialect: string, address?: string): Promise<Original> {
    const process = script("originals.py", dialect, ...(address ? [address] : []));
    return new Original(process, JSON.parse(await process.line(/^{"address/)).address);
  }

  /** It answers a request of its own client, and says what reached it before. */
  async got(client: Client, request: string): Promise<string[]> {
    try {
      await client.text(this.address, { text: request });
    } catch (error) {
      throw new Error(`${(error as Error).message}; it says: ${this.#process.output}`);
    }
    for (;;) {
      const got: string = JSON.parse(await this.#process.line(/^{"got/)).got;
      if (got === request) return this.#got.splice(0);
      this.#got.push(got);
    }
  }

  async end(): Promise<void> {
    this.#process.finish();
    await this.#process.end(5_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
