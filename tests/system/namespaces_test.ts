/** Namespaces as the fault programs use them: who reaches whom, before, during and after a cut. */

import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { HERE, Network, noNamespaces } from "../faults/support/namespaces.ts";
import { closing, until } from "../support.ts";
import { Process } from "../support/process.ts";

const skip = noNamespaces() ?? false;
const PORT = 7000;
/** How long a connection may take, ms: what is lost without a word never comes. */
const WITHIN = 500;

const SERVER = `require("node:net").createServer((s) => s.on("error", () => {}).end("hi"))` +
  `.listen(${PORT}, () => console.log("up"))`;

/** A program in JavaScript that this runtime runs. */
function script(text: string): string[] {
  const start = `const require = (await import("node:module")).createRequire("/");`;
  return "Deno" in globalThis
    ? [process.execPath, "eval", start + text]
    : [process.execPath, "--experimental-strip-types", "--input-type=module", "-e", start + text];
}

/** Whether what listens at an address is reached from a place. */
function reaches(network: Network, from: string, to: string): boolean {
  const text = `const s = require("node:net").connect(${PORT}, "${network.address(to)}");` +
    `s.on("data", () => process.exit(0)).on("error", () => process.exit(2));` +
    `setTimeout(() => process.exit(1), ${WITHIN});`;
  const [program, ...args] = network.inside(from, script(text));
  return spawnSync(program, args).status === 0;
}

test("namespaces reach each other and this machine, and lose what is cut until it is healed", {
  skip,
}, () =>
  closing(async (keep) => {
    const network = keep(new Network(["a", "b"]));
    const server = keep(new Process(network.inside("a", script(SERVER))));
    await server.line(/up/);
    assert.ok(reaches(network, "b", "a"));
    assert.ok(reaches(network, HERE, "a"));
    network.cut("a", "b");
    assert.ok(!reaches(network, "b", "a"));
    assert.ok(reaches(network, HERE, "a"));
    network.heal("a", "b");
    assert.ok(reaches(network, "b", "a"));
    network.cut("a", "b", "to"); // Answers do not arrive.
    assert.ok(!reaches(network, "b", "a"));
    network.isolate("a");
    assert.ok(!reaches(network, HERE, "a"));
    network.healAll();
    assert.ok(reaches(network, "b", "a"));
    assert.ok(reaches(network, HERE, "a"));
  }));

test("namespaces of a process that was killed are swept, with what runs there", {
  skip,
}, () =>
  closing(async (keep) => {
    const source = new URL("../faults/support/namespaces.ts", import.meta.url).href;
    const text = `const { Network } = await import("${source}");` +
      `const network = new Network(["a"]); const { spawn } = require("node:child_process");` +
      `const [program, ...args] = network.inside("a", ["sleep", "600"]);` +
      `const child = spawn(program, args, { detached: true });` +
      `console.log(network.file("a"), child.pid); setInterval(() => {}, 1000);`;
    const maker = keep(new Process(script(text)));
    const [file, pid] = (await maker.line(/netns/)).split(" ");
    await maker.kill();
    assert.equal(spawnSync("test", ["-e", file]).status, 0);
    keep(new Network(["b"]));
    assert.equal(spawnSync("test", ["-e", file]).status, 1);
    await until(() => spawnSync("kill", ["-0", pid]).status !== 0, 5_000, "the end of what ran");
  }));
