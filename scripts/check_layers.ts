/**
 * Holds the layers: imports run downward only. `deno run --allow-read scripts/check_layers.ts`
 * exits 1 and says what to do for each forbidden import.
 *
 * A folder may import itself, and what its row lists. Adapters are named in `run/open.ts` alone.
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { dirname, join, normalize, relative } from "node:path";

/** Folder of lib → folders it may import. Written from the bottom up. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  identity: ["errors.ts"],
  protocol: ["errors.ts", "identity"],
  dialects: ["errors.ts", "protocol"],
  transport: ["errors.ts", "protocol"],
  log: ["errors.ts", "identity", "protocol", "registry/names.ts", "user/store.ts"],
  registry: ["errors.ts", "identity", "protocol", "dialects", "transport"],
  group: ["errors.ts", "identity", "protocol", "dialects", "transport", "log"],
  user: ["errors.ts", "identity", "protocol", "transport"],
  cli: ["errors.ts", "identity", "protocol"],
  run: [
    "errors.ts",
    "identity",
    "protocol",
    "transport",
    "log",
    "registry",
    "group",
    "user",
    "cli",
  ],
};

/** Files that only `run/open.ts` and their own folder may import. */
const ADAPTERS =
  /^(transport\/(zmq|socket|readiness|zap)|log\/(sqlite\w*|memory\w*|migrations))\.ts$/;

/** Packages and built-ins that only these files may import. */
const ONLY: Readonly<Record<string, RegExp>> = {
  "zeromq": /^lib\/transport\/zmq\.ts$/,
  "node:sqlite": /^lib\/log\/sqlite\w*\.ts$/,
  "valibot": /^lib\/protocol\//,
};

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s+["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|(?:^|\n)\s*import\s+["']([^"']+)["']/g;

/** Every forbidden import below `root`, as sentences. */
export function forbidden(root: string): string[] {
  return [...sources(join(root, "lib"))].flatMap((file) => check(root, file));
}

function check(root: string, file: string): string[] {
  const text = readFileSync(file, "utf8");
  const from = relative(root, file).replaceAll("\\", "/");
  const problems: string[] = [];
  if (/\bDeno\b\s*[.[]/.test(text) && from !== "lib/transport/readiness.ts") {
    problems.push(`${from} uses Deno.*: move it to lib/transport/readiness.ts or use node:`);
  }
  if (/^\s*(await )?using \w/m.test(text)) {
    problems.push(`${from} declares with using, which Node 22 does not read: close in finally`);
  }
  for (const match of text.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2] ?? match[3];
    const problem = specifier.startsWith(".")
      ? checkFile(from, relative(root, normalize(join(dirname(file), specifier))))
      : checkPackage(from, specifier.replace(/^npm:/, ""));
    if (problem) problems.push(problem);
  }
  return problems;
}

function checkPackage(from: string, name: string): string | undefined {
  const owner = Object.keys(ONLY).find((only) => name === only || name.startsWith(`${only}@`));
  if (!owner || ONLY[owner].test(from)) return undefined;
  return `${from} imports ${name}: only ${ONLY[owner].source} may; ask it for what you need`;
}

function checkFile(from: string, target: string): string | undefined {
  const to = target.replaceAll("\\", "/");
  if (!to.startsWith("lib/")) return `${from} imports ${to}: lib/ imports nothing above it`;
  const [here, there] = [from, to].map((path) => path.slice("lib/".length));
  const [layer, other] = [here, there].map((path) => path.split("/")[0]);
  if (layer === other) return undefined;
  if (ADAPTERS.test(there) && here !== "run/open.ts") {
    return `${from} imports ${to}: an adapter is named in lib/run/open.ts alone; use its interface`;
  }
  const allowed = LAYERS[layer] ?? [];
  if (allowed.includes(other) || allowed.includes(there)) return undefined;
  return `${from} imports ${to}: ${layer} may import ${allowed.join(", ") || "nothing"}; ` +
    "imports run downward, move what both need to a lower layer";
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

if (import.meta.main) {
  const problems = forbidden(process.argv[2] ?? ".");
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
  console.log("layers: every import runs downward");
}
