/**
 * Holds the layers: imports, those of types, too, run downward only, and in no circle.
 * `deno run --allow-read scripts/check_layers.ts` exits 1 and says what to do for each forbidden
 * import.
 *
 * A folder may import itself, and what its row lists. Adapters are named in `run/open_*.ts`,
 * `run/engines.ts`, `run/group_folder.ts` and `run/group_database.ts` alone.
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { dirname, join, normalize, relative } from "node:path";

/** Folder of lib → folders it may import. Written from the bottom up. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  structures: [],
  disk: ["errors.ts"],
  identity: ["errors.ts"],
  text: ["errors.ts", "identity"],
  protocol: ["errors.ts", "identity", "text"],
  dialects: ["errors.ts", "identity", "text", "protocol"],
  transport: ["errors.ts", "structures", "text", "protocol"],
  session: ["errors.ts", "structures", "identity", "text", "protocol", "dialects", "transport"],
  log: ["errors.ts", "disk", "identity", "protocol"],
  store: ["errors.ts", "disk", "protocol"],
  registry: [
    "errors.ts",
    "structures",
    "identity",
    "text",
    "protocol",
    "dialects",
    "transport",
    "session",
    "store",
  ],
  group: [
    "errors.ts",
    "structures",
    "identity",
    "text",
    "protocol",
    "dialects",
    "transport",
    "session",
    "log",
  ],
  user: ["errors.ts", "identity", "text", "protocol", "transport", "session", "store"],
  cli: ["errors.ts", "structures", "identity", "text", "protocol", "user"],
  run: [
    "errors.ts",
    "structures",
    "disk",
    "identity",
    "text",
    "protocol",
    "transport",
    "session",
    "log",
    "store",
    "registry",
    "group",
    "user",
    "cli",
  ],
};

/** Files that only composition and their own folder may import. */
const ADAPTERS = /^(transport\/(zmtp|libzmq)\/.*|(log|store)\/(sqlite|memory|postgres)\w*\.ts)$/;

/** Where adapters are named. */
const COMPOSITION = /^run\/(open_\w+|engines|group_folder|group_database)\.ts$/;

/** Packages and built-ins that only these files may import. */
const ONLY: Readonly<Record<string, RegExp>> = {
  "zeromq": /^lib\/transport\/libzmq\/zmq\.ts$/,
  "postgres": /^lib\/log\/postgres_connection\.ts$/,
  "node:sqlite": /^lib\/disk\/sqlite\.ts$/,
  "valibot": /^lib\/protocol\//,
};

/** The one file that may use Deno.* */
const DENO = "lib/transport/libzmq/readiness.ts";

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s([^;'"]*?)from\s+["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|(?:^|\n)\s*import\s+["']([^"']+)["']/g;

/** What a file imports, types, too. */
function importsOf(text: string): string[] {
  return [...text.matchAll(IMPORT)].map(([, , from, dynamic, effect]) => from ?? dynamic ?? effect);
}

/** Every forbidden import below `root`, as sentences. */
export function forbidden(root: string): string[] {
  const files = [...sources(join(root, "lib"))];
  return [...files.flatMap((file) => check(root, file)), ...circles(root, files)];
}

/**
 * Files that import each other in a circle, each circle once. Of values: what runs first is
 * anybody's guess. Of types: neither file can be read, or tested, without the other. A circle that
 * a forbidden import makes is gone with that import, which is named by itself.
 */
function circles(root: string, files: readonly string[]): string[] {
  const targets = new Map(files.map((file) => [
    file,
    importsOf(readFileSync(file, "utf8"))
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => normalize(join(dirname(file), specifier)))
      .filter((target) => !checkFile(nameOf(root, file), nameOf(root, target))),
  ]));
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      const names = [...path.slice(at), file].map((one) => nameOf(root, one));
      problems.push(
        `${names.join(" imports ")}: move what they share, a value or a type, to a file below ` +
          "them, or hand the lower one what it calls as an argument",
      );
    } else if (!done.has(file)) {
      for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    }
  };
  for (const file of files) visit(file, []);
  return problems;
}

function nameOf(root: string, file: string): string {
  return relative(root, file).replaceAll("\\", "/");
}

function check(root: string, file: string): string[] {
  const text = readFileSync(file, "utf8");
  const from = nameOf(root, file);
  const problems: string[] = [];
  if (/\bDeno\b\s*[.[]/.test(text) && from !== DENO) {
    problems.push(`${from} uses Deno.*: move it to ${DENO} or use node:`);
  }
  if (/^\s*(await )?using \w/m.test(text)) {
    problems.push(`${from} declares with using, which Node 22 does not read: close in finally`);
  }
  for (const specifier of importsOf(text)) {
    const problem = specifier.startsWith(".")
      ? checkFile(from, nameOf(root, normalize(join(dirname(file), specifier))))
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

function checkFile(from: string, to: string): string | undefined {
  if (!to.startsWith("lib/")) return `${from} imports ${to}: lib/ imports nothing above it`;
  const [here, there] = [from, to].map((path) => path.slice("lib/".length));
  const [layer, other] = [here, there].map((path) => path.split("/")[0]);
  if (ADAPTERS.test(there) && dirname(here) !== dirname(there) && !COMPOSITION.test(here)) {
    return `${from} imports ${to}: composition names adapters (lib/run/open_*.ts, engines.ts, group_folder.ts); use its interface`;
  }
  if (layer === other) return undefined;
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
  console.log("layers: every import runs downward, and none in a circle");
}
