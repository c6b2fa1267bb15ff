/** Two machines: README's "On a network" as it is typed, and what each forgotten thing says. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Network, noNamespaces } from "../faults/support/namespaces.ts";
import { GROUP_PROGRAM, SOURCES } from "../runtimes.ts";
import { closing } from "../support.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

const skip = noNamespaces() ?? false;
/** The address that README gives its first machine. */
const README_ADDRESS = "192.168.3.97";

type Keep = Parameters<Parameters<typeof closing>[0]>[0];

/** A command line as its words; what follows ` #` is a remark. */
function wordsOf(line: string): string[] {
  const [typed] = line.split(/\s+# /);
  return [...typed.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
}

/** The lines that README.md has typed on a machine. */
function typedOn(machine: string): string[] {
  const readme = readFileSync(join(SOURCES, "README.md"), "utf8");
  const [, section] = readme.split("\n## On a network\n");
  const [, block] = new RegExp("```sh " + machine + "\n([^]*?)```").exec(section)!;
  return block.trim().split("\n");
}

/** Somebody's machine in a namespace, with a home and an environment of its own. */
class Machine {
  readonly address: string;
  readonly #keep: Keep;
  readonly #network: Network;
  readonly name: string;
  readonly #env: Record<string, string>;

  constructor(keep: Keep, network: Network, name: string) {
    this.#keep = keep;
    this.#network = network;
    this.name = name;
    this.address = network.address(name);
    this.#env = { ZGROUP_HOME: keep(new Folder()).path, ZGROUP_REGISTRY: "" };
  }

  /** Starts one of our programs. */
  start(program: string, ...words: string[]): Process {
    const command = this.#network.inside(this.name, ours(program, ...words));
    return this.#keep(new Process(command, { env: this.#env }));
  }

  /** Starts a server that others are to use. */
  async serve(program: string, ...words: string[]): Promise<Process> {
    const server = this.start(program, ...words);
    await server.line(/listens on/);
    return server;
  }

  /** Types a line of README; undefined where no program runs by it. */
  type(line: string): Process | undefined {
    const words = wordsOf(line);
    if (words[0] === "export") {
      const [name, value] = words[1].split("=");
      this.#env[name] = value;
      return undefined;
    }
    const task = words.slice(0, 2).join(" ") === "deno task";
    if (task) return this.start("user.ts", ...words.slice(2));
    assert.deepEqual(words.slice(0, 3), ["deno", "run", "-A"], line);
    return this.start(words[3], ...words.slice(4));
  }

  /** What a command says, which is refused. */
  async refused(program: string, ...words: string[]): Promise<string> {
    const { code, said } = await this.run(program, ...words);
    assert.notEqual(code, 0, said);
    return said;
  }

  async run(program: string, ...words: string[]): Promise<{ code: number | null; said: string }> {
    const command = this.start(program, ...words);
    command.finish();
    const { code } = await command.end(20_000);
    return { code, said: command.output };
  }
}

/** Two machines that reach each other. */
interface Machines {
  readonly network: Network;
  readonly a: Machine;
  readonly b: Machine;
}

/** The first one at README's address. */
function machinesOfReadme(keep: Keep): Machines {
  const network = keep(new Network(["a", "b"], { a: README_ADDRESS }));
  const [a, b] = ["a", "b"].map((name) => new Machine(keep, network, name));
  return { network, a, b };
}

/** Runs what a prompt is told on its standard input, to its end. */
async function told(prompt: Process, ...lines: string[]): Promise<string> {
  prompt.write(lines.map((line) => `${line}\n`).join(""));
  prompt.finish();
  assert.equal((await prompt.end(20_000)).code, 0, prompt.output);
  return prompt.output;
}

/** A registry that others cannot reach, and one that is not named. */
async function forgottenRegistry({ network, a, b }: Machines): Promise<void> {
  const at = `${a.address}:5555`;
  const alone = await a.serve("registry.ts");
  const [noHost, noRegistry, noAddress] = await Promise.all([
    b.refused("user.ts", "list", "--registry", at),
    b.refused("user.ts", "list"),
    b.refused("registry.ts", "--host", "203.0.113.7"),
  ]);
  const host = `registry(\\.ts)? --host ${a.address}\\?`;
  assert.match(noHost, new RegExp(`is it running, and started for others: .*${host}`));
  assert.match(noRegistry, /One on another machine is named with --registry HOST:PORT/);
  assert.match(noAddress, new RegExp(`it has ${b.address}, and 127\\.0\\.0\\.1 for itself`));
  const every = await b.serve("registry.ts", "--host", "0.0.0.0");
  assert.match(every.output, new RegExp(`for others ${b.address}:5555#`));
  assert.match(alone.output, /Only this machine reaches it: --host ADDRESS serves others/);
  await alone.stop();
  await a.serve("registry.ts", "--host", a.address);
  assert.equal((await b.run("user.ts", "list", "--registry", at)).code, 0);
  network.block(a.name, 5555);
  const blocked = await b.refused("user.ts", "list", "--registry", at);
  assert.match(blocked, /is it running, and does its firewall let TCP port 5555 in\?/);
}

/** A group that others cannot reach: it is told, its registry and its users too. */
async function forgottenGroup({ network, a, b }: Machines): Promise<void> {
  const registry = ["--registry", `${a.address}:5555`];
  const log = await a.serve("registry.ts", "--host", a.address);
  const [everywhere, nowhere] = await Promise.all([
    b.refused("group.ts", "Lab", "0.0.0.0:5560", ...registry),
    b.refused("group.ts", "Loo", "203.0.113.7:5560", ...registry),
  ]);
  assert.match(everywhere, new RegExp(`tell them one with --advertise ${b.address}`));
  assert.match(nowhere, new RegExp(`it has ${b.address}, and 127\\.0\\.0\\.1 for itself`));

  const alone = await b.serve("group.ts", "Cool Group", "127.0.0.1:5560", ...registry);
  const mended = `${GROUP_PROGRAM} "Cool Group" ${b.address}:5560 ${registry.join(" ")}`;
  const warning = await alone.line(/Others cannot reach 127\.0\.0\.1:5560/);
  assert.ok(warning.endsWith(`start it as ${mended}`), warning);
  assert.ok((await log.line(/Others cannot reach Cool Group/)).endsWith(mended));
  const away = await a.refused("user.ts", "join", "Cool Group", ...registry);
  assert.match(away, /it is at 127\.0\.0\.1:5560, which is its machine's own; ask who runs it/);
  await alone.stop();

  // What was reached once is not given up for an address that nobody else reaches.
  const lab = ["Lab", `${b.address}:5561`, ...registry];
  const reached = await b.serve("group.ts", ...lab);
  const joined = await a.run("user.ts", "join", "Lab", ...registry);
  assert.equal(joined.code, 0, joined.said);
  await reached.stop();
  const own = await b.serve("group.ts", "Lab", "127.0.0.1:5561", ...registry);
  await own.line(/Others cannot reach/);
  const unsent = await a.refused("user.ts", "members", "Lab", ...registry);
  assert.match(unsent, new RegExp(`at ${b.address}:5561`));
  await own.stop();
  await b.serve("group.ts", ...lab);
  const back = await a.run("user.ts", "send", "Lab", "hi", ...registry);
  assert.equal(back.code, 0, back.said);

  network.block(b.name, 5560);
  const address = `${b.address}:5560`;
  const behind = await b.serve("group.ts", "Cool Group", address, ...registry);
  await behind.line(/let TCP port 5560 in at this machine's firewall/);
  await log.line(new RegExp(`Cannot connect to Cool Group at ${address}`));
  const blocked = await a.refused("user.ts", "join", "Cool Group", ...registry);
  assert.match(blocked, new RegExp(`at ${address}: .*does its firewall let TCP port 5560 in\\?`));
}

test(
  "network: README's lines of three programs are typed on two machines",
  { skip },
  () =>
    closing(async (keep) => {
      const { a, b } = machinesOfReadme(keep);
      for (const line of typedOn("first")) await a.type(line)!.line(/listens on/);
      const [where, joining, prompting] = typedOn("second");
      b.type(where);
      const join = b.type(joining)!;
      assert.equal((await join.end(20_000)).code, 0, join.output);
      const lines = ["list_groups", 'send_message "Cool Group" "hi"'];
      const said = await told(b.type(prompting)!, ...lines);
      assert.match(said, /^Cool Group - 192\.168\.3\.97:5560$/m);
      assert.match(said, /^SUCCESS$/m);
    }),
);

test(
  "network: README's lines of start alone are typed on two machines",
  { skip },
  () =>
    closing(async (keep) => {
      const { a, b } = machinesOfReadme(keep);
      const [[first], [second]] = [typedOn("one"), typedOn("two")];
      const line = await a.type(first)!.line(/on another machine/);
      // The same, and the registry's key.
      const words = wordsOf(second).slice(3).join(" ");
      assert.match(line, new RegExp(`start ${words}#\\S+$`));
      const said = await told(b.type(second)!, "members", "send_message Lobby hi");
      assert.match(said, /joined Lobby 192\.168\.3\.97:\d+ /);
      assert.match(said, /^SUCCESS$/m);
    }),
);

test("network: whatever is forgotten on one of two machines, a sentence says what mends it", {
  skip,
}, () =>
  closing(async (keep) => {
    const names = ["a", "b", "c", "d"];
    const network = keep(new Network(names));
    const [a, b, c, d] = names.map((name) => new Machine(keep, network, name));
    await Promise.all([
      forgottenRegistry({ network, a, b }),
      forgottenGroup({ network, a: c, b: d }),
    ]);
  }));
