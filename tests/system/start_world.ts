/** A home in which `start` is run: its screens, its servers, and what is asked of them. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { holdFolder } from "../../lib/run/hold.ts";
import { foldersOf } from "../../lib/run/home_servers.ts";
import { serversFolder } from "../../lib/run/servers_requests.ts";
import { connect } from "../../mod.ts";
import { until } from "../support.ts";
import { freePort } from "../support/port.ts";
import { Terminal } from "../support/terminal.ts";
import type { Keep } from "./attack_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** How long servers may take to end, ms. */
const ENDS_WITHIN = 10_000;

/** What `status --json` says. */
export interface Status {
  readonly running: boolean;
  readonly pid: number;
  readonly background: boolean;
  readonly registry: { readonly address: string; readonly key: string };
  readonly groups: readonly {
    readonly name: string;
    readonly address: string;
    readonly connected: number;
  }[];
}

/** Resolves when no servers of a home run any more. */
export async function serversEnded(home: string): Promise<void> {
  for (const folder of foldersOf(home)) {
    if (!existsSync(serversFolder(folder))) continue;
    await until(
      () => {
        const release = holdFolder(serversFolder(folder));
        release?.();
        return release;
      },
      ENDS_WITHIN,
      `the end of the servers of ${folder}`,
    );
  }
}

export class StartWorld implements AsyncDisposable {
  readonly home: string;
  readonly registry: string;
  readonly #keep: Keep;
  readonly #folder: Folder;

  private constructor(keep: Keep, folder: Folder, port: number) {
    this.#keep = keep;
    this.#folder = folder;
    this.home = join(folder.path, "home");
    this.registry = `127.0.0.1:${port}`;
  }

  static async open(keep: Keep): Promise<StartWorld> {
    return keep(new StartWorld(keep, new Folder(), await freePort()));
  }

  get port(): string[] {
    return ["--port", this.registry.split(":")[1]];
  }

  /** `start` in a terminal. */
  start(...args: string[]): Terminal {
    return this.#keep(new Terminal(ours("user.ts", "start", "--home", this.home, ...args)));
  }

  /** A person in front of the prompt of `start`, in the Lobby. */
  async person(name: string, ...args: string[]): Promise<Terminal> {
    const terminal = this.start("--name", name, ...this.port, ...args);
    await terminal.line("Lobby>");
    return terminal;
  }

  /** Somebody else in the Lobby, from another folder. */
  async guest(name: string, group = "Lobby") {
    const user = this.#keep(await connect({ name, registries: [this.registry] }));
    await user.join(group);
    return user;
  }

  /** One command and out, `input` on its standard input; what it wrote. */
  async run(words: readonly string[], { input = "", code = 0 } = {}): Promise<Process> {
    const program = this.#keep(new Process(ours("user.ts", ...words, "--home", this.home)));
    program.write(input);
    program.finish();
    const ended = await program.end(ENDS_WITHIN * 2);
    assert.equal(ended.code, code, program.output);
    return program;
  }

  /** What runs. */
  async status(): Promise<Status> {
    const { output } = await this.run(["status", "--json"]);
    return JSON.parse(output.split("\n")[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { background, pid } = await this.status();
    if (background) process.kill(pid, "SIGKILL");
    await serversEnded(this.home);
    this.#folder.remove();
  }
}
