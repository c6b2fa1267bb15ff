/**
 * What README.md and the docstrings of mod.ts show to a newcomer runs as it stands, and prints what
 * `//=>` says; every public name has an example.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { text as wholeText } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { SOURCES } from "../runtimes.ts";
import { connect, Group, Registry } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { User } from "../../lib/user/user.ts";
import type { Keep } from "./live_world.ts";
import { ours, Process, ROOT } from "./processes.ts";
import { Folder } from "./world.ts";

interface Name {
  readonly name: string;
  /** A function, a class or a constant; else a type. */
  readonly value: boolean;
  /** Its docstring, and what stands above its export in mod.ts. */
  readonly doc: string;
}

const source = (path: string) => readFileSync(join(SOURCES, path), "utf8");
const MOD = source("mod.ts");
const DECLARATION = /^export (?:async )?(class|function|const|interface|type) (\w+)/;
const REEXPORT = /^export (type )?\{([^}]*)\} from "\.\/([^"]+)";/;

/** The docstring that ends where a text ends, comment stars taken off. */
function docBefore(text: string): string {
  const [, doc = ""] = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*$/.exec(text) ?? [];
  return doc.replace(/^ \* ?/gm, "");
}

/** What mod.ts exports; a comment above several re-exports is said of all of them. */
function publicNames(): Name[] {
  const names: Name[] = [];
  let above = "";
  for (const { index } of MOD.matchAll(/^export /gm)) {
    above = docBefore(MOD.slice(0, index)) || above;
    const own = DECLARATION.exec(MOD.slice(index));
    if (own) {
      names.push({ name: own[2], value: isValue(own[1]), doc: above });
      continue;
    }
    const [, types, list, path] = REEXPORT.exec(MOD.slice(index))!;
    const file = source(path);
    for (const item of list.split(",").map((one) => one.trim()).filter(Boolean)) {
      const name = item.replace(/^type /, "");
      const at = file.search(new RegExp(`^export (async )?\\w+ ${name}\\b`, "m"));
      const declared = DECLARATION.exec(file.slice(at));
      assert.ok(at >= 0 && declared, `${path} declares no ${name} that mod.ts exports`);
      const value = !types && item === name && isValue(declared[1]);
      const doc = docBefore(file.slice(0, at));
      assert.notEqual(doc, "", `${name} in ${path} has no docstring: say what it is`);
      names.push({ name, value, doc: `${doc}\n${above}` });
    }
  }
  return names;
}

function isValue(kind: string): boolean {
  return kind !== "interface" && kind !== "type";
}

/** The TypeScript blocks of a text without comment stars. */
function examples(text: string): string[] {
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code);
}

/** What an example says that it prints. */
function printed(example: string): string[] {
  return [...example.matchAll(/^\s*\/\/=> (.*)$/gm)].map(([, line]) => line);
}

const NAMES = publicNames();
const OF_NAMES = NAMES.map(({ name, doc }) => ({ name, examples: examples(doc) }));
const HEAD = examples(docBefore(MOD.slice(0, MOD.indexOf("*/") + 2)));

/** One example, and what it belongs to. */
const ALL: [what: string, example: string][] = [
  ...HEAD.map((example): [string, string] => ["the head of mod.ts", example]),
  ...examples(source("README.md")).map((example): [string, string] => ["README.md", example]),
  ...OF_NAMES.flatMap(({ name, examples }) =>
    examples.map((example, i): [string, string] => [`${name}, example ${i + 1}`, example])
  ),
];

test("every public name has an example, or leads to a name that has one", () => {
  assert.ok(NAMES.length > 20, "mod.ts is read");
  for (const { name, value, doc } of NAMES) {
    const linked = [...doc.matchAll(/\{@linkcode (\w+)\}/g)].map(([, other]) => other);
    const shown = OF_NAMES.filter((one) => one.name === name || linked.includes(one.name))
      .flatMap(({ examples }) => examples);
    const advice =
      `give ${name} a docstring with a block of \`\`\`ts, or a {@linkcode NAME} to a ` +
      "public name whose example shows it";
    assert.ok(shown.length > 0, `${name} has no example: ${advice}`);
    const named = shown.some((example) => new RegExp(`\\b${name}\\b`).test(example));
    assert.ok(!value || name === "User" || named, `no example uses ${name}: ${advice}`);
  }
});

test("every public method of User is used in an example of connect", () => {
  const code = OF_NAMES.find(({ name }) => name === "connect")!.examples.join("\n");
  const methods = Object.getOwnPropertyNames(User.prototype)
    .filter((name) => name !== "constructor" && name !== "close");
  assert.ok(methods.includes("send"));
  for (const method of methods) {
    assert.match(
      code,
      new RegExp(`\\.${method}\\b`),
      `add User.${method} to an example of connect`,
    );
  }
});

/** Node 22 reads no `using`. */
const reads = (() => {
  try {
    new Function("return async () => { await using x = null; }");
    return true;
  } catch {
    return false;
  }
})();

/** Writes an example into a folder, over the library under test; the file. */
function written(example: string, folder: string, i: number): string {
  const file = join(folder, `example_${i}.ts`);
  const module = pathToFileURL(join(ROOT, "mod.ts")).href;
  writeFileSync(file, example.replaceAll('"./mod.ts"', JSON.stringify(module)));
  return file;
}

const onDeno = "Deno" in globalThis;
const config = `--config=${join(ROOT, "deno.json")}`;
test(
  "examples: their types fit",
  { skip: !onDeno && "Deno checks types" },
  () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const files = ALL.map(([, example], i) => written(example, path, i));
      const run = keep(new Process([process.execPath, "check", config, ...files]));
      assert.equal((await run.end(60_000)).code, 0, run.output);
    }),
);

for (const [i, [what, example]] of ALL.entries()) {
  const skip = /^\s*await using /m.test(example) && !reads && "this Node reads no using";
  test(`an example runs as it stands: ${what}`, { skip }, () =>
    closing(async (keep) => {
      const file = written(example, keep(new Folder()).path, i);
      const command = onDeno ? [process.execPath, "run", "-A", config, file] : ours(file);
      const run = keep(new Process(command));
      assert.equal((await run.end(30_000)).code, 0, run.output);
      assert.deepEqual(run.output.split("\n").filter(Boolean), printed(example));
    }));
}

/** A program of examples/, over the library under test, for a group; `where` is its own folder. */
function program(keep: Keep, registry: string, name: string, ...args: string[]): Process {
  const where = ["--registry", registry, "--home", keep(new Folder()).path];
  return keep(new Process(ours(`examples/${name}.ts`, "Lab", ...args, ...where)));
}

/** It says how it is used, and ends well at Ctrl-C. */
async function stops(run: Process): Promise<void> {
  run.signal("SIGINT");
  assert.equal((await run.end(10_000)).code, 0, run.output);
}

test("examples: each says how it is used", () =>
  closing(async (keep) => {
    await Promise.all(
      ["echo_bot", "webhook_to_group", "group_to_webhook"].map(async (name) => {
        const help = keep(new Process(ours(`examples/${name}.ts`, "--help")));
        assert.equal((await help.end(20_000)).code, 0, help.output);
        assert.match(help.output, new RegExp(`^Usage: ${name} GROUP .*\\n`));
        const bad = keep(new Process(ours(`examples/${name}.ts`, "Lab", "--nonsense")));
        assert.equal((await bad.end(20_000)).code, 2, bad.output);
        assert.match(
          bad.output,
          new RegExp(`^${name}: Unknown option '--nonsense'; --help .*\\n$`),
        );
      }),
    );
  }));

test("examples: a bot echoes, HTTP requests come into a group, and its messages go out", () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const { address } = registry;
    keep(await Group.start({ name: "Lab", registries: [address] }));
    const alice = keep(await connect({ name: "alice", registries: [address] }));
    await alice.join("Lab");
    await alice.send("Lab", "echo of before");

    const got: { text: string; key: unknown }[] = [];
    let refuse = true;
    let refused = 0;
    const server = createServer(async (request, response) => {
      const { text } = JSON.parse(await wholeText(request));
      // Asked again where it fails the first time.
      const bad = text === "left out";
      const status = bad ? 422 : refuse ? 503 : 204;
      if (bad) refused++;
      else refuse = false;
      if (status === 204) got.push({ text, key: request.headers["idempotency-key"] });
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    keep({
      [Symbol.asyncDispose]: () =>
        new Promise<void>((resolve) => server.close(() => resolve()).closeAllConnections()),
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

    const bot = program(keep, address, "echo_bot");
    const outward = program(keep, address, "group_to_webhook", url);
    const inward = program(keep, address, "webhook_to_group", "--port", "0");
    await bot.line(/^echo listens in Lab/);
    await outward.line(/messages of Lab go to/);
    const [hook] = /http:\S+/.exec(await inward.line(/posts to Lab/))!;
    // Both follow when they show that they have heard something.
    const replies = alice.follow("Lab", { from: "now" });
    const hears = async (text: string) => {
      for (;;) {
        const { value } = await replies.next();
        if (value.text === text) return value;
      }
    };
    const begun = hears("begun");
    for (let seen = false; !seen;) {
      await alice.send("Lab", "echo begun");
      seen = await Promise.race([begun.then(() => true), pause(200).then(() => false)]);
    }
    const headers = { "idempotency-key": randomUUID() };
    const post = async (body: string) => {
      const response = await fetch(hook, { method: "POST", body, headers });
      return [response.status, (await response.text()).trim()] as const;
    };
    const [status, said] = await post("echo the build is green");
    assert.equal(status, 200, said);
    const { seq } = JSON.parse(said);
    assert.deepEqual(JSON.parse((await post("echo the build is green"))[1]), {
      seq,
      duplicate: true,
    });
    assert.equal((await post("echo of another text"))[0], 422);
    const answer = await hears("the build is green");
    assert.equal(answer.name, "echo");
    await alice.send("Lab", "left out");
    const { mid } = await alice.send("Lab", "behind it");
    const has = (key: string) => () => got.some((one) => one.key === key);
    await until(has(`${answer.author}/${answer.mid}`), 20_000, "the answer handed on");
    await until(has(`${alice.id}/${mid}`), 20_000, "what comes behind one that is refused");
    assert.equal(refused, 1);
    const texts = await Array.fromAsync(alice.read("Lab"), ({ text }) => text);
    assert.equal(texts.filter((text) => text === "the build is green").length, 1);
    assert.ok(!texts.includes("of before"), "what was said before is not answered");
    await Promise.all([bot, outward, inward].map(stops));
  }));
