/**
 * OPERATE.md, typed as it stands: its blocks of commands, in their order, each on the machines that
 * are named behind its `sh`, which boot Debian's systemd in network namespaces. A `text` block says
 * what came of the one before, with `…` for what differs from one time to the next. What the page
 * takes for granted is there: names that machines find each other by, Deno, and zgroup's sources.
 *
 * `scp` alone is played: nobody logs in from one of these machines to another.
 */

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { SOURCES } from "../runtimes.ts";
import { fault, Skipped } from "./support/fault.ts";
import { type Done, Machine, noMachines } from "./support/machines.ts";
import { Network } from "./support/namespaces.ts";

/** What is installed for the page, by the package of Debian that has it. */
const NEEDS = {
  patroni: "/usr/bin/patroni",
  "etcd-server": "/usr/bin/etcd",
  "postgresql-15": "/usr/lib/postgresql/15/bin/postgres",
};
/** Units of this system that the page knows nothing of. */
const MASKED = ["nats-server.service", "redis-server.service", "systemd-timesyncd.service"];
/** A block may take this long, ms. */
const WITHIN = 120_000;

/** A block of commands of the page. */
interface Block {
  readonly line: number;
  readonly machines: readonly string[];
  readonly commands: string;
  /** Lines that must come, in this order, on each of some of the machines. */
  readonly said: readonly { readonly machines: readonly string[]; readonly lines: string[] }[];
}

await fault(async (fault) => {
  if (fault.shared) throw new Skipped("its machines take minutes of a machine to themselves");
  const problem = noMachines();
  if (problem) throw new Skipped(problem);
  for (const [name, file] of Object.entries(NEEDS)) {
    if (!existsSync(file)) throw new Skipped(`the page needs ${name} (apt install ${name})`);
  }
  const blocks = blocksOf(readFileSync(join(SOURCES, "OPERATE.md"), "utf8"));
  const names = [...new Set(blocks.flatMap(({ machines }) => machines))];
  const network = new Network(names);
  fault.onClose(() => network.close());
  const machines = new Map<string, Machine>();
  for (const name of names) {
    const machine = new Machine(network, name, join(fault.folder, name), {
      masked: MASKED,
      empty: ["/var/lib/postgresql", "/var/lib/etcd", "/etc/postgresql"],
      overlaid: {
        "/opt/zgroup": SOURCES,
        "/opt/zgroup/node_modules": realpathSync(join(SOURCES, "node_modules")),
      },
    });
    fault.onClose(() => machine[Symbol.asyncDispose]());
    machines.set(name, machine);
  }
  const hosts = names.map((name) => `${network.address(name)} ${name}`).join("\n");
  await each(machines.values(), async (machine) => {
    await machine.start();
    await machine.run(`echo '127.0.0.1 localhost\n${hosts}' > /etc/hosts`);
  });
  for (const block of blocks) {
    const begin = performance.now();
    const places = block.machines.map((name) => machines.get(name)!);
    let failed = false;
    await each(places, async (machine) => {
      if (machine.isOff) await machine.start();
      const { code, output } = await typed(machine, block.commands, machines);
      if (fault.full) console.log(output.trimEnd());
      const problem = code === 0 || machine.isOff
        ? missing(block, machine.name, output)
        : `ended with ${code}`;
      fault.expect(!problem, `line ${block.line} of the page on ${machine.name}: ${problem}`);
      if (!problem) return;
      failed = true;
      console.log(
        `--- line ${block.line} on ${machine.name}: ${problem}\n${block.commands}\n${output}`,
      );
    });
    const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
    console.log(`line ${block.line} on ${block.machines.join(", ")}: ${seconds} s`);
    if (!failed) continue;
    for (const machine of machines.values()) {
      if (machine.isOff) continue;
      const { output } = await machine.run("journalctl --no-pager --lines 40");
      console.log(`--- journal of ${machine.name}\n${output}`);
    }
    return; // What follows rests on it.
  }
  fault.figure("blocks", blocks.length);
});

/** The blocks of a page that name machines. */
function blocksOf(page: string): Block[] {
  const blocks: (Block & { said: Block["said"][number][] })[] = [];
  const lines = page.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const [, kind, rest] = /^```(\w+) ?(.*)$/.exec(lines[i]) ?? [];
    if (!kind) continue;
    const begin = i + 1;
    while (lines[++i] !== "```") if (i >= lines.length) throw new Error("A block does not end");
    const text = lines.slice(begin, i);
    const machines = rest.split(" ").filter(Boolean);
    if (machines.length === 0) continue;
    if (kind === "sh") {
      blocks.push({ line: begin + 1, machines, commands: text.join("\n"), said: [] });
    } else blocks.at(-1)!.said.push({ machines, lines: text.filter(Boolean) });
  }
  return blocks;
}

/** Types the commands of a block, and carries what `scp` names. */
async function typed(
  machine: Machine,
  commands: string,
  machines: ReadonlyMap<string, Machine>,
): Promise<Done> {
  let output = "";
  for (const part of commands.split(/^(?=scp )/m)) {
    const [line, what, to, where] = /^scp -r (\S+) (\w+):(\S+)/.exec(part) ?? [""];
    if (what) machine.copy(what, machines.get(to)!, where);
    const done = await machine.run(`set -e\n${part.slice(line.length)}`, WITHIN);
    output += done.output;
    if (done.code !== 0) return { ...done, output };
  }
  return { code: 0, output };
}

/** What a block should have said on a machine and did not; undefined where all came. */
function missing({ said }: Block, name: string, output: string): string | undefined {
  for (const { machines, lines } of said) {
    if (!machines.includes(name)) continue;
    let rest = output;
    for (const line of lines) {
      const found = new RegExp(line.trim().split("…").map(escaped).join(".*")).exec(rest);
      if (!found) return `it did not say "${line}"`;
      rest = rest.slice(found.index + found[0].length);
    }
  }
  return undefined;
}

/** A text as a pattern; runs of spaces are equal, as tables are wide or narrow. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replace(/ +/g, " +");
}

async function each<T>(all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> {
  await Promise.all([...all].map(work));
}
