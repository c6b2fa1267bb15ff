/**
 * Machines that boot: each a network namespace with processes, mounts and a host name of its own,
 * over a copy of this system that keeps what it changes to itself, and runs systemd. What a page for
 * operators says can be typed there as it stands.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { until } from "../../support.ts";
import { Process } from "../../support/process.ts";
import { type Network, noNamespaces } from "./namespaces.ts";

/** A machine has started within this, ms. */
const STARTS_WITHIN = 60_000;
const CGROUPS = "/sys/fs/cgroup";

/** Why there can be none here; undefined where there can. */
export function noMachines(): string | undefined {
  const problem = noNamespaces();
  if (problem) return problem;
  if (!existsSync("/lib/systemd/systemd")) return "machines that boot need systemd (Debian's)";
  return cgroups() ? undefined : "machines that boot need cgroup 2 at /sys/fs/cgroup";
}

/** Where this system has its cgroups of version 2. */
function cgroups(): string | undefined {
  return [CGROUPS, join(CGROUPS, "unified")]
    .find((path) => existsSync(join(path, "cgroup.controllers")));
}

/** What a command did. */
export interface Done {
  readonly code: number | null;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/** What each machine begins with. */
export interface MachineOptions {
  /** Units that do not start there, though this system has them. */
  readonly masked?: readonly string[];
  /** Folders of this system that are empty there. */
  readonly empty?: readonly string[];
  /** Folders that begin as one of here, elsewhere; what is changed there stays there. */
  readonly overlaid?: Readonly<Record<string, string>>;
}

/** One machine; it ends with the process that made it. */
export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly #network: Network;
  readonly #folder: string;
  readonly #cgroup: string;
  readonly #options: MachineOptions;
  #boot: Process | undefined;
  #init = 0;

  constructor(network: Network, name: string, folder: string, options: MachineOptions) {
    this.name = name;
    this.address = network.address(name);
    this.#network = network;
    this.#folder = folder;
    this.#cgroup = join(cgroups()!, `zg-${process.pid}-${name}`);
    this.#options = options;
    mkdirSync(folder, { recursive: true });
  }

  /** Starts it, or starts it again with what is on its disk; resolves when all its units started. */
  async start(): Promise<void> {
    mkdirSync(this.#cgroup, { recursive: true });
    const file = join(this.#folder, "boot.sh");
    writeFileSync(file, this.#script());
    // With its maker ends what waits for it, and with that the first of its processes, hence all.
    const boot = this.#boot = new Process(["setpriv", "--pdeathsig", "KILL", "sh", file]);
    this.#init = await until(() => this.#childOf(boot), STARTS_WITHIN, `the start of ${this.name}`);
    await until(
      async () => {
        const { output } = await this.run("systemctl is-system-running");
        return /^(running|degraded)/m.test(output);
      },
      STARTS_WITHIN,
      `the units of ${this.name}`,
    );
  }

  /** The first process of the machine once systemd runs there; undefined before. */
  #childOf(boot: Process): number | undefined {
    if (boot.over) throw new Error(`${this.name} does not start: ${boot.output}`);
    const file = `/proc/${boot.pid}/task/${boot.pid}/children`;
    const [child] = readFileSync(file, "utf8").split(" ").map(Number).filter(Boolean);
    if (!child) return undefined;
    return readFileSync(`/proc/${child}/comm`, "utf8").trim() === "systemd" ? child : undefined;
  }

  #script(): string {
    const { masked = [], empty = [], overlaid = {} } = this.#options;
    const root = join(this.#folder, "root");
    const overlay = (lower: string, changes: string, at: string) => [
      `[ ! -L ${at} ] || rm ${at}`,
      `mkdir -p ${changes}/upper ${changes}/work ${at}`,
      `mount -t overlay overlay ` +
      `-o lowerdir=${lower},upperdir=${changes}/upper,workdir=${changes}/work ${at}`,
    ];
    const devices = ["null", "zero", "full", "random", "urandom", "tty"];
    const inside = [
      "set -e",
      "mount --make-rprivate /",
      ...overlay("/", this.#folder, root),
      `cd ${root}`,
      "mount -t proc proc proc",
      "mount -t sysfs -o ro sysfs sys",
      "mount -t cgroup2 cgroup2 sys/fs/cgroup",
      "mount -t tmpfs tmpfs run",
      "mount -t tmpfs tmpfs tmp",
      "mount -t tmpfs -o mode=755 tmpfs dev",
      ...devices.flatMap((name) => [`touch dev/${name}`, `mount --bind /dev/${name} dev/${name}`]),
      "mkdir dev/pts dev/shm",
      "mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts",
      "ln -s pts/ptmx dev/ptmx",
      "ln -s /proc/self/fd dev/fd",
      "mount -t tmpfs tmpfs dev/shm",
      // What has none of the machine's own yet.
      ...empty.map((path) => `[ -e ${this.#folder}/made ] || rm -rf .${path}/*`),
      ...Object.entries(overlaid).flatMap(([path, from], i) =>
        overlay(from, join(this.#folder, String(i)), root + path)
      ),
      ...masked.map((unit) => `ln -sf /dev/null etc/systemd/system/${unit}`),
      `hostname ${this.name}`,
      `echo ${this.name} > etc/hostname`,
      `touch ${this.#folder}/made`,
      "pivot_root . mnt",
      "exec chroot . env -i container=zgroup PATH=/usr/sbin:/usr/bin:/sbin:/bin " +
      "sh -c 'umount -l /mnt; exec /lib/systemd/systemd'",
    ].join("\n");
    const spaces = "--mount --pid --uts --ipc --cgroup --fork --kill-child";
    return [
      `echo $$ > ${this.#cgroup}/cgroup.procs`,
      `exec nsenter --net=${this.#network.file(this.name)} unshare ${spaces} sh -c ${
        quoted(inside)
      }`,
    ].join("\n");
  }

  /** A command line that is run there, by root, in root's folder. */
  inside(command: readonly string[]): string[] {
    const environment = [
      "env",
      "-i",
      "HOME=/root",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "LANG=C.UTF-8",
    ];
    return ["nsenter", "-t", String(this.#init), "-a", "--wdns=/root", ...environment, ...command];
  }

  /** Runs a text as a shell would that somebody types it into; at most `ms`. */
  async run(text: string, ms = 120_000): Promise<Done> {
    await using shell = new Process(this.inside(["bash", "-c", `exec 2>&1\n${text}`]));
    shell.finish();
    const { code } = await shell.end(ms);
    return { code, output: shell.output };
  }

  /** Copies a file or folder to a folder of another one. */
  copy(what: string, to: Machine, where: string): void {
    const from = this.inside(["tar", "-c", "-C", dirname(what), basename(what)]).map(quoted);
    const into = to.inside(["tar", "-x", "-C", where]).map(quoted);
    const { status, stderr } = spawnSync("bash", [
      "-c",
      `set -o pipefail; ${from.join(" ")} | ${into.join(" ")}`,
    ], { encoding: "utf8" });
    if (status !== 0) throw new Error(`Cannot copy ${what} to ${to.name}: ${stderr}`);
  }

  /** True before its start and after its end. */
  get isOff(): boolean {
    return this.#boot?.over ?? true;
  }

  /** The power goes: all its processes are gone at once; its disk stays. */
  async kill(): Promise<void> {
    await this.#boot?.kill();
    await until(() => !existsSync(`/proc/${this.#init}`), STARTS_WITHIN, `the end of ${this.name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    spawnSync("find", [this.#cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A text as one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
