/** Persons at prompts in real terminals, with a registry and groups in this process. */

import { Group, Registry } from "../support/inside.ts";
import { join } from "node:path";
import type { OpenGroupOptions } from "../../mod.ts";
import { freePort } from "../support/port.ts";
import { Terminal } from "../support/terminal.ts";
import type { Keep } from "./attack_world.ts";
import { ours } from "./processes.ts";
import { serversEnded } from "./start_world.ts";
import { Folder } from "./world.ts";

/** How a person sits there. */
interface Seat {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Options of the program. */
  readonly args?: readonly string[];
  /** The prompt that is waited for. */
  readonly start?: RegExp;
}

/** A registry, and what stands in its list. */
export class PromptWorld {
  readonly home: string;
  readonly registry: string;
  readonly #keep: Keep;
  #port: number | undefined;

  private constructor(keep: Keep, home: string, registry: string) {
    this.#keep = keep;
    this.home = home;
    this.registry = registry;
  }

  /** One with the group Lab. */
  static async start(keep: Keep): Promise<PromptWorld> {
    const home = keep(new Folder()).path;
    const { address } = keep(await Registry.start({ port: 0 }));
    const world = new PromptWorld(keep, home, address);
    await world.group("Lab");
    return world;
  }

  async group(name: string, options: Partial<OpenGroupOptions> = {}) {
    const data = join(this.home, "groups", name);
    const group = await Group.start({ name, data, registries: [this.registry], ...options });
    return this.#keep(group);
  }

  /** What a person's program leaves in a folder has ended before the folder goes. */
  #ends(home: string): void {
    this.#keep({ [Symbol.asyncDispose]: () => serversEnded(home) });
  }

  /** The command line of a person's program. */
  command(name: string, ...args: string[]): string[] {
    return ours("user.ts", ...args, ...["--home", join(this.home, name), "--name", name], ...[
      "--registry",
      this.registry,
    ]);
  }

  /** A person in front of the prompt, which is there. */
  async person(
    name: string,
    { start = /^(zgroup|Lab|Cool Group)>/m, args = [], ...seat }: Seat = {},
  ) {
    this.#ends(join(this.home, name));
    const terminal = this.#keep(new Terminal(this.command(name, ...args), seat));
    await terminal.shows(start);
    return terminal;
  }

  /** `start` in the same home, on a port that is free the first time. */
  async starting(name: string): Promise<Terminal> {
    this.#port ??= await freePort();
    const home = join(this.home, "start");
    this.#ends(home);
    const where = ["--home", home, "--name", name, "--port"];
    const terminal = this.#keep(new Terminal(ours("user.ts", "start", ...where, `${this.#port}`)));
    await terminal.line("Lobby>");
    return terminal;
  }

  /** The same, who has joined Lab and seen it. */
  async member(name: string, seat: Seat = {}): Promise<Terminal> {
    const terminal = await this.person(name, seat);
    await terminal.enter("join_group Lab", `* ${name} joined`);
    await terminal.line("Lab>");
    return terminal;
  }
}
