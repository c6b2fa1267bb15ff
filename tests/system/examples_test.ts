/**
 * What README.md and the docstrings of mod.ts show to a newcomer runs as it stands, and prints what
 * `//=>` says; every public name has an example.
 */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { SOURCES } from "../runtimes.ts";
import { closing } from "../support.ts";
import { User } from "../../lib/user/user.ts";
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
