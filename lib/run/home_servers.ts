/** The servers of a home, seen from a screen: asked where they run, started where they do not. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { HostOptions, Revived, Served, ServedRegistry, Servers } from "../cli/servers.ts";
import { FolderUnusable, sentence } from "../errors.ts";
import { ask } from "./ask_holder.ts";
import { dropHosted, foldersOf, hostedIn } from "./hosted_file.ts";
import { holdFolder } from "./hold.ts";
import { errorOf } from "./requests.ts";
import {
  serversFolder,
  serversLog,
  type ServersNews,
  type ServersRequest,
} from "./servers_requests.ts";
import { again } from "./this_program.ts";

export { foldersOf } from "./hosted_file.ts";

/** Servers say each second that they are there; those that are silent for longer hang, ms. */
const SILENCE = 10_000;
/** How long servers that were told to end may take, ms; they give up before. */
const ENDS_WITHIN = 10_000;
/** How often it is looked whether they have ended, ms. */
const LOOK_EVERY = 25;
/** How often servers that end just now are waited for and started again. */
const TRIES = 100;

export interface HomeServersOptions {
  readonly home: string;
  readonly registries: readonly string[];
  readonly transport: string | undefined;
  /** Where groups listen that nobody gives an address; default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** URL of the program's script. */
  readonly program: string;
}

const CANNOT = "Cannot start the servers beside this program";

/** Why no process can be started, with the way out where one is known. */
function whyNot(cause: unknown): string {
  const text = sentence(cause);
  return text.includes("--allow-run") ? "Deno may not run them, add --allow-run" : text;
}

/** See {@linkcode Servers}. */
export class HomeServers implements Servers {
  readonly #options: HomeServersOptions;
  readonly #home: string;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #starting: Promise<void> | undefined;
  #closing = false;
  #tell: (text: string) => void = () => {};

  constructor(options: HomeServersOptions) {
    this.#options = options;
    this.#home = resolve(options.home);
  }

  get own(): boolean {
    return this.#child !== undefined;
  }

  look(except?: string): Promise<Served | undefined> {
    return this.#ask({ op: "look", ...(except === undefined ? {} : { except }) });
  }

  registry(address: string): Promise<ServedRegistry> {
    return this.#demand({ op: "registry", address });
  }

  host(name: string, { address, keep = true, ...who }: HostOptions = {}) {
    const { registries } = this.#options;
    const where = address === undefined ? {} : { address };
    return this.#demand<ServedRegistry>({ op: "host", name, ...where, registries, keep, ...who });
  }

  async revive(): Promise<Revived> {
    try {
      const { registries } = this.#options;
      const hosted = foldersOf(this.#home).flatMap(hostedIn);
      if (hosted.length > 0) return await this.#demand({ op: "revive", registries });
      return { groups: [], troubles: [] };
    } catch (error) {
      return { groups: [], troubles: [sentence(error)] };
    }
  }

  async unhost(name: string): Promise<boolean> {
    const answer = await this.#ask<{ found: boolean }>({ op: "unhost", name });
    return answer ? answer.found : dropHosted(this.#home, name);
  }

  async detach(): Promise<void> {
    await this.#demand({ op: "detach" });
    this.#child = undefined;
  }

  async stop(): Promise<boolean> {
    this.#closing = true;
    if (await this.#ask({ op: "stop" }) === undefined) return false;
    const end = performance.now() + ENDS_WITHIN;
    for (;;) {
      const release = holdFolder(serversFolder(this.#home)); // Theirs until their process is gone.
      release?.();
      if (release) return true;
      if (performance.now() > end) {
        throw new FolderUnusable(
          `Cannot end the servers of ${this.#home}: they still run after ${
            ENDS_WITHIN / 1000
          } s; ` +
            "look at their log, and kill them by their pid (status)",
        );
      }
      await pause(LOOK_EVERY);
    }
  }

  onTrouble(tell: (text: string) => void): void {
    this.#tell = tell;
  }

  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#child;
    if (!child) return;
    child.stdin?.end();
    await this.#ended;
  }

  /** Asks; undefined where none run. */
  #ask<Reply extends object>(request: ServersRequest): Promise<Reply | undefined> {
    return ask<Reply>(serversFolder(this.#home), request, {}, SILENCE);
  }

  /** Asks, and starts them where none run. */
  async #demand<Reply extends object>(request: ServersRequest): Promise<Reply> {
    for (let tries = 0; tries < TRIES; tries++) {
      const answer = await this.#ask<Reply>(request);
      if (answer) return answer;
      if (this.#closing) break;
      await (this.#starting ??= this.#start().finally(() => this.#starting = undefined));
    }
    throw new FolderUnusable(
      `Cannot ask the servers of ${this.#home}: they end again and again; see ${this.#log}`,
    );
  }

  get #log(): string {
    return serversLog(this.#home);
  }

  /** Starts them, in a session of their own so that no key of this terminal reaches them. */
  async #start(): Promise<void> {
    const { program, host, transport } = this.#options;
    const { file, args, cwd } = again(program, [
      "servers",
      ...["--home", this.#home],
      ...(host === undefined ? [] : ["--host", host]),
      ...(transport === undefined ? [] : ["--transport", transport]),
    ]);
    mkdirSync(join(this.#home, "logs"), { recursive: true, mode: 0o700 });
    const errors = openSync(this.#log, "a", 0o600);
    const { promise: begun, resolve: begin, reject: fail } = Promise.withResolvers<void>();
    const failed = (cause: unknown) =>
      fail(new FolderUnusable(`${CANNOT}: ${whyNot(cause)}`, { cause }));
    const child = spawn(file, args, {
      detached: true,
      stdio: ["pipe", "pipe", errors],
      ...(cwd === undefined ? {} : { cwd }),
    });
    closeSync(errors);
    const over = Promise.withResolvers<void>();
    let held = false;
    const take = (news: ServersNews) => {
      if ("ready" in news) begin();
      else if ("trouble" in news) this.#tell(news.trouble);
      else if ("background" in news) this.#child = undefined;
      else if ("failure" in news) fail(errorOf(news.failure));
      else held = true;
    };
    child.once("error", failed);
    child.once("close", (code, signal) => {
      over.resolve();
      if (held) return begin(); // Another process was faster: that one is asked.
      const how = signal ?? `exit code ${code}`;
      fail(new Error(`${CANNOT}: they ended at once (${how}); see ${this.#log}`));
      if (this.#child !== child) return;
      this.#child = undefined;
      if (!this.#closing) this.#tell(this.#gone(how));
    });
    child.stdin!.on("error", () => {}); // It has ended.
    let said = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (said + text).split("\n");
      said = lines.pop()!;
      for (const line of lines) take(JSON.parse(line));
    });
    await begun;
    if (held) return;
    this.#child = child;
    this.#ended = over.promise;
  }

  #gone(how: string): string {
    return `The servers beside this program ended (${how}): registry and groups that ran in them ` +
      `are down; exit and start again, what was accepted is kept (see ${this.#log})`;
  }
}
