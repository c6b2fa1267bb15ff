/**
 * Machines in name only: network namespaces of this machine, each with an address of its own, joined
 * by a router that can lose what one sends to another without a word, as a bad switch does.
 *
 * Linux, root and iproute2 alone are needed. Names tell which process made them: what one that was
 * killed left behind is swept when the next ones are made.
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

/** The machine that this process runs on, as a place beside the namespaces. */
export const HERE = "here";

/** Which way is lost: what `a` sends to `b`, or both. */
export type Loss = "to" | "both";

/** Why there can be none here; undefined where there can. */
export function noNamespaces(): string | undefined {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const { error } = spawnSync("ip", ["-V"]);
  if (error) return "network namespaces need iproute2 (apt install iproute2)";
  const name = `${PREFIX}${OWNER}-try`;
  const made = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (made.status !== 0) return `this machine permits no network namespaces: ${made.stderr.trim()}`;
  ip("netns", "del", name);
  return undefined;
}

/** Namespaces that reach each other, and this machine, until they are cut. */
export class Network implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #given: Readonly<Record<string, string>>;
  readonly #cuts = new Set<string>();
  /** `10.A.B`, of this process alone. */
  readonly #subnet = `10.${64 + (process.pid >> 8) % 64}.${process.pid % 256}`;
  /** Of {@linkcode HERE}; a name of a link has 15 characters at most. */
  readonly #link = `zg${process.pid}`;
  #closed = false;

  /**
   * Makes one for each name, 1 to 8 letters and digits, at most 250.
   *
   * @param given addresses of some, in place of those that are made up; {@linkcode HERE} does not reach them
   * @throws {Error} not permitted
   */
  constructor(names: readonly string[], given: Readonly<Record<string, string>> = {}) {
    this.#given = given;
    const problem = noNamespaces();
    if (problem) throw new Error(problem);
    sweep();
    this.#names = names;
    try {
      this.#make();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #make(): void {
    const router = this.#spaceOf("router");
    ip("netns", "add", router);
    ip("-n", router, "link", "set", "lo", "up");
    ip("-n", router, "address", "add", this.address("router"), "dev", "lo");
    enter(router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
    for (const name of this.#names) {
      const space = this.#spaceOf(name);
      ip("netns", "add", space);
      ip("-n", space, "link", "set", "lo", "up");
      this.#wire(name, "eth0", space);
      this.#join(name, ["-n", space], "eth0", "default");
    }
    this.#wire(HERE, this.#link, String(process.pid));
    this.#join(HERE, [], this.#link, `${this.#subnet}.0/24`);
  }

  /** Lays a cable from the router to a place, the end of which has a name there. */
  #wire(name: string, link: string, place: string): void {
    const end = ["type", "veth", "peer", "name", link, "netns", place];
    ip("-n", this.#spaceOf("router"), "link", "add", "name", `to-${name}`, ...end);
  }

  /** Gives a place its address, and both ends their way. */
  #join(name: string, place: readonly string[], link: string, way: string): void {
    const router = this.#spaceOf("router");
    ip("-n", router, "link", "set", "dev", `to-${name}`, "up");
    ip("-n", router, "route", "add", this.address(name), "dev", `to-${name}`);
    ip(...place, "address", "add", this.address(name), "dev", link);
    ip(...place, "link", "set", "dev", link, "up");
    const via = ["via", this.address("router"), "dev", link, "onlink"];
    ip(...place, "route", "add", way, ...via, "src", this.address(name));
  }

  #spaceOf(name: string): string {
    return `${PREFIX}${OWNER}-${name}`;
  }

  /** The address of a namespace, or of {@linkcode HERE}. */
  address(name: string): string {
    const last = name === "router" ? 254 : name === HERE ? 253 : this.#names.indexOf(name) + 1;
    if (last === 0) throw new RangeError(`No namespace ${name}`);
    return this.#given[name] ?? `${this.#subnet}.${last}`;
  }

  /** The file that `nsenter --net=` and `ip netns` know it by. */
  file(name: string): string {
    return `/run/netns/${this.#spaceOf(name)}`;
  }

  /** A command line that runs another one there; the process has the pid that is started. */
  inside(name: string, command: readonly string[]): string[] {
    return name === HERE ? [...command] : ["nsenter", `--net=${this.file(name)}`, ...command];
  }

  /** Loses what `a` sends to `b`, and what `b` sends to `a`; no connection closes by that. */
  cut(a: string, b: string, loss: Loss = "both"): void {
    for (const [from, to] of loss === "both" ? [[a, b], [b, a]] : [[a, b]]) {
      if (this.#cuts.has(`${from} ${to}`)) continue;
      this.#rule("add", from, to);
      this.#cuts.add(`${from} ${to}`);
    }
  }

  /** Ends what {@linkcode cut} began, both ways. */
  heal(a: string, b: string): void {
    for (const [from, to] of [[a, b], [b, a]]) {
      if (this.#cuts.delete(`${from} ${to}`)) this.#rule("del", from, to);
    }
  }

  /** Drops without a word what anybody sends to a TCP port there, as a firewall does. */
  block(name: string, port: number): void {
    const rule = ["to", this.address(name), "ipproto", "tcp", "dport", `${port}`, "blackhole"];
    ip("-n", this.#spaceOf("router"), "rule", "add", ...rule);
  }

  #rule(what: "add" | "del", from: string, to: string): void {
    const rule = ["from", this.address(from), "to", this.address(to), "blackhole"];
    ip("-n", this.#spaceOf("router"), "rule", what, ...rule);
  }

  /** Cuts one off from all others, {@linkcode HERE} too. */
  isolate(name: string): void {
    for (const other of [...this.#names, HERE]) if (other !== name) this.cut(name, other);
  }

  /** Heals all. */
  healAll(): void {
    for (const pair of [...this.#cuts]) {
      const [a, b] = pair.split(" ");
      this.heal(a, b);
    }
  }

  /** Ends what still runs there, and removes all; again is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A link goes with its namespace, but some time later, and this one is seen here.
    spawnSync("ip", ["link", "del", "dev", this.#link]);
    for (const space of spaces()) if (space.startsWith(this.#spaceOf(""))) remove(space);
  }

  // deno-lint-ignore require-await -- the interface is asynchronous
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

const PREFIX = "zg-";
/** This process: its pid, and when it began, so that a pid that is used again is another one. */
const OWNER = ownerOf(process.pid);

/** `PID-START`; undefined where no such process is. */
function ownerOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid}-${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}

/** Removes what processes that are gone left behind. */
function sweep(): void {
  for (const space of spaces()) {
    const [, owner, pid] = /^zg-((\d+)-\d+)-/.exec(space) ?? [];
    if (owner && ownerOf(Number(pid)) !== owner) remove(space);
  }
}

/** Ends the processes of a namespace that was made here, and removes it; its links go with it. */
function remove(space: string): void {
  const { stdout } = spawnSync("ip", ["netns", "pids", space], { encoding: "utf8" });
  for (const pid of stdout.split("\n").filter(Boolean)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  ip("netns", "del", space);
}

/** The names of all namespaces of this machine. */
function spaces(): string[] {
  return ip("netns", "list").split("\n").map((line) => line.split(" ")[0]).filter(Boolean);
}

function ip(...args: readonly string[]): string {
  return run("ip", args);
}

function enter(space: string, ...command: readonly string[]): void {
  run("nsenter", [`--net=/run/netns/${space}`, ...command]);
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, [...args], { encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`Cannot run ${program} ${args.join(" ")}: ${stderr?.trim()}`);
}
