/** One of several servers of a group, in a process that may be killed, stopped and started again. */

import { until } from "../../support.ts";
import { Child, type Inside } from "./children.ts";
import type { Fault } from "./fault.ts";

/** What it is started with; see `OpenGroupOptions`. */
interface ServerProgram {
  readonly name: string;
  /** With port 0 it keeps the one that it got first. */
  readonly address: string;
  readonly database: string;
  readonly unlisted: boolean;
  readonly singleCopy: boolean;
}

/** What a server says of its part; `off` while it does not run. */
type Part = "off" | "starts" | "holds" | "follows" | "waits";

/** It has its part within this after it was started, ms. */
const STARTS_WITHIN = 60_000;
/** How many of its lines are kept. */
const KEPT = 200;

/** See the head of this file. */
export class ServerProcess {
  readonly #fault: Fault;
  readonly #options: ServerProgram;
  readonly #env: Readonly<Record<string, string>>;
  readonly #inside: Inside | undefined;
  /** `HOST:PORT`, known once it was up. */
  address = "";
  part: Part = "off";
  /** Of the last claim of this life; 0 before. */
  term = 0;
  /** Address of the holder that it follows. */
  follows: string | undefined;
  /** The last of what it said. */
  said: string[] = [];
  child!: Child;
  #up = false;
  /** Somebody here ends it. */
  #ending = false;

  constructor(
    fault: Fault,
    options: ServerProgram,
    env: Readonly<Record<string, string>> = {},
    inside?: Inside,
  ) {
    this.#fault = fault;
    this.#options = options;
    this.#env = env;
    this.#inside = inside;
  }

  /** Starts it without waiting for it. */
  spawn(): void {
    const options = { ...this.#options, address: this.address || this.#options.address };
    this.part = "starts";
    this.term = 0;
    this.follows = undefined;
    this.#up = this.#ending = false;
    const onLine = (line: string) => this.#heard(line);
    const args = [JSON.stringify(options)];
    const child = new Child(
      "programs/group.ts",
      args,
      { env: this.#env, onLine },
      this.#inside,
    );
    this.child = child;
    void child.ended.then(({ code }) => {
      if (this.child !== child) return;
      this.part = "off";
      this.term = 0;
      const why = `${this.said.at(-1) ?? ""} ${child.errors}`.trim();
      this.#fault.expect(this.#ending, `a server ended by itself with ${code}: ${why}`);
    });
  }

  /** Starts it and waits until it listens. */
  async start(): Promise<void> {
    this.spawn();
    await this.up();
  }

  /** Waits until it listens. */
  async up(): Promise<void> {
    await until(
      () => {
        if (this.child.over) throw new Error(`A server does not start: ${this.child.output}`);
        return this.#up;
      },
      STARTS_WITHIN,
      "a server to start",
    );
  }

  #heard(line: string): void {
    this.said = [...this.said.slice(-KEPT), line];
    const [word, what, ...rest] = line.split(" ");
    if (word === "up") {
      this.address = what;
      this.#up = true;
    }
    this.#fault.expect(!/A request failed/.test(line), `a server says: ${line}`);
    if (word !== "part") return;
    this.part = what.toLowerCase() as Part;
    if (what === "Holds") this.term = Number(/term (\d+)/.exec(line)![1]);
    this.follows = what === "Follows" ? rest[0].replace(/,$/, "") : undefined;
  }

  /** SIGKILL; it is gone when this resolves. */
  async kill(): Promise<void> {
    this.#ending = true;
    await this.child.kill();
    this.part = "off";
    this.term = 0;
  }

  /** SIGSTOP. */
  pause(): void {
    this.child.signal("SIGSTOP");
  }

  /** SIGCONT. */
  resume(): void {
    this.child.signal("SIGCONT");
  }

  /** As an operator stops it; the exit code. */
  async stop(): Promise<number | null> {
    this.#ending = true;
    return await this.child.stop();
  }

  async close(): Promise<void> {
    if (this.part === "off") return;
    this.#ending = true;
    await this.child.kill();
  }
}
