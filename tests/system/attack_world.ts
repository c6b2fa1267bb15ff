/** What the attacks share: servers to attack, a member who must not notice, and their counts. */

import { Group, type GroupServer, Registry } from "../support/inside.ts";
import { platform } from "node:os";
import process from "node:process";
import { connect } from "../../mod.ts";
import type { OpenGroupOptions, User } from "../../mod.ts";
import { until } from "../support.ts";
import { usage } from "../support/usage.ts";
import { ours, Process } from "./processes.ts";

/** True for the numbers of the whole suite instead of those of an ordinary run. */
export const FULL = process.env.ZGROUP_FULL === "1";
/** What a process takes is read from `/proc`. */
export const LINUX: boolean = platform() === "linux";

/** A number of attacks: the whole one with `ZGROUP_FULL=1`. */
export function sized(normal: number, full: number): number {
  return FULL ? full : normal;
}

/** Prints what a row came to. */
export function row(what: string, counts: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(", ");
  console.log(`attack: ${what}: ${text}`);
}

export type Keep = <T extends AsyncDisposable>(one: T) => T;

/** A group in this process, with a registry and a founder who has joined. */
export interface World {
  readonly registry: Registry;
  readonly registries: string[];
  readonly group: GroupServer;
  readonly address: string;
  readonly founder: User;
}

type Registry = Awaited<ReturnType<typeof Registry.start>>;

/** Starts one. The founder's home is `home`. */
export async function world(
  keep: Keep,
  home: string,
  options: Partial<OpenGroupOptions> = {},
): Promise<World> {
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const founder = keep(await connect({ home, name: "founder", registries }));
  const group = keep(
    await Group.start({ name: "Lab", home, memory: true, registries, ...options }),
  );
  await founder.join("Lab");
  return { registry, registries, group, address: group.address, founder };
}

/** A program of ours as a process of its own. */
interface Program {
  readonly process: Process;
  readonly pid: number;
  /** `HOST:PORT`, for a registry with its key. */
  readonly address: string;
}

/** Starts one and waits until it listens. `limits`: what `ulimit` sets before. */
export async function program(
  keep: Keep,
  script: "group.ts" | "registry.ts",
  args: readonly string[],
  limits = "",
): Promise<Program> {
  // The shell says its process id and becomes the program.
  const shell = `${limits && `ulimit ${limits}; `}echo "PID $$"; exec "$@"`;
  const one = keep(new Process(["sh", "-c", shell, "sh", ...ours(script, ...args)]));
  const pid = Number((await one.line(/^PID /)).slice(4));
  const [, address] = /listens on ([^\s,]+)/.exec(await one.line(/listens/))!;
  return { process: one, pid, address };
}

/** A group as a process, with a registry in this one. */
export async function processWorld(
  keep: Keep,
  home: string,
  options: readonly string[] = [],
  limits?: string,
): Promise<Program & { readonly registries: string[] }> {
  const registry = keep(await Registry.start({ port: 0 }));
  const place = ["--registry", registry.address, "--home", home, "--quiet"];
  const args = ["Lab", "127.0.0.1:0", ...place, ...options];
  return { registries: [registry.address], ...await program(keep, "group.ts", args, limits) };
}

/** The highest memory of a process while something is done, MiB. */
export async function highest<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ readonly most: number; readonly done: T }> {
  let most = usage(pid).memory;
  const look = setInterval(() => (most = Math.max(most, usage(pid).memory)), 10);
  try {
    return { done: await work(), most: Math.round(most) };
  } finally {
    clearInterval(look);
  }
}

/** A flood from a process of its own, for so long; what it says that it did. */
export async function flood(
  kind: string,
  address: string,
  ms: number,
  ...more: string[]
): Promise<Record<string, number>> {
  const args = [kind, address, String(ms), ...more];
  await using attacker = new Process(ours("tests/system/attacker.ts", ...args));
  const line = await attacker.line(/^DONE/, ms + 20_000);
  return JSON.parse(line.slice(5));
}

/** How often each answer came. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  get all(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort());
  }
}

/** Does `work` so many times, some at once. */
export async function times(
  total: number,
  atOnce: number,
  work: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < total) await work(next++);
  }));
}

/** A member who sends again and again and hears itself: how long each took, ms. */
export class Chatter implements AsyncDisposable {
  readonly delays: number[] = [];
  /** How often the group was lost to it. */
  lost = 0;
  readonly #user: User;
  readonly #stop = new AbortController();
  readonly #pause: number;
  #running: Promise<unknown> = Promise.resolve();

  /** @param pause ms between two messages, so that the rate of 500 a second is never reached */
  constructor(user: User, pause = 5) {
    this.#user = user;
    this.#pause = pause;
    user.on((event) => {
      if (event.type === "state" && event.group === "Lab" && event.state === "unreachable") {
        this.lost++;
      }
    });
  }

  /** A new member of the group, heard. */
  static async in(keep: Keep, registries: readonly string[], pause?: number): Promise<Chatter> {
    const user = await connect({ name: "chatter", registries });
    await user.join("Lab");
    const chatter = keep(new Chatter(user, pause));
    await chatter.start();
    return chatter;
  }

  /** Begins; resolves when the first message came back. */
  async start(): Promise<void> {
    const { signal } = this.#stop;
    let heard: (text: string) => void = () => {};
    const listening = (async () => {
      for await (const entry of this.#user.follow("Lab", { after: 0, signal })) {
        if (entry.author === this.#user.id && entry.text) heard(entry.text);
      }
    })();
    const talking = (async () => {
      for (let n = 0; !signal.aborted; n++) {
        const text = `${performance.now()} ${n}`;
        const back = new Promise<void>((resolve) => {
          heard = (found) => found === text && resolve();
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
        const begin = performance.now();
        await this.#user.send("Lab", text, { within: Infinity });
        await back;
        if (!signal.aborted) this.delays.push(performance.now() - begin);
        if (this.#pause > 0) await new Promise((resolve) => setTimeout(resolve, this.#pause));
      }
    })();
    this.#running = Promise.allSettled([listening, talking]);
    await until(() => this.delays.length > 0, 10_000, "a message that comes back");
  }

  /** How many were heard. */
  get count(): number {
    return this.delays.length;
  }

  /** Waits until it has heard so many more. */
  async hears(more: number): Promise<void> {
    const wanted = this.count + more;
    await until(() => this.count >= wanted, 15_000, `${more} messages that are heard`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#user.close();
    await this.#running;
  }
}
