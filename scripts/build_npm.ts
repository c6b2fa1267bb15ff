/**
 * Builds the npm package: `deno task build:npm [FOLDER]` writes zgroup-VERSION.tgz there.
 *
 * `deno pack` makes JavaScript, declarations and dependencies from the sources; this adds the
 * programs, the metadata and the Node spelling of command lines, checks the result, and writes
 * the same bytes for the same sources. The version is the one in deno.json.
 */

import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { packageProblems } from "./check_package.ts";
import { readTgz, type TarFile, writeTgz } from "./tar.ts";

/** The lowest Node that has node:sqlite without a flag. */
export const LOWEST_NODE = "22.13.0";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const SOURCES = ["deno.lock", "mod.ts", "registry.ts", "group.ts", "user.ts", "bin", "lib"];
/** What npm shows beside the code; those that are there. */
const DOCUMENTS = ["README.md", "LICENSE", "CHANGELOG.md", "PROTOCOL.md", "ARCHITECTURE.md"];
/** Name of the command → module of the package. */
const BINS: Readonly<Record<string, string>> = {
  "zgroup": "bin/zgroup.js",
  "zgroup-registry": "bin/zgroup_registry.js",
  "zgroup-group": "bin/zgroup_group.js",
  "zgroup-user": "bin/zgroup_user.js",
};
/** Declarations of a lib that TypeScript does not read for targets up to es2024. */
const DISPOSABLE = /\bAsyncDisposable\b|\bSymbol\.asyncDispose\b/;
/** How help texts and examples are spelled where there is no Deno. */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/\bdeno task start\b/g, "zgroup start"],
  [/\b(?:deno run -A |deno task )(registry|group|user)(?:\.ts)?\b/g, "zgroup $1"],
  [/(?<![\w./-])(registry|group|user)\.ts\b/g, "zgroup $1"],
  [/(["'])\.\/mod\.ts\1/g, '"zgroup"'],
];

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Builds into `folder`; the path of the archive. @throws {Error} it could not be made, or is bad */
export function buildNpm(folder: string): { path: string; files: readonly TarFile[] } {
  const packed = pack();
  const manifest = JSON.parse(text(packed, "package.json")) as Manifest;
  if (!text(packed, "lib/cli/program.js").includes(`"${manifest.version}"`)) {
    throw new Error("Cannot build the package: lib/cli/program.ts is not the version in deno.json");
  }
  const files: TarFile[] = [
    { path: "package.json", data: json(packageJson(manifest)) },
    ...packed.filter(isShipped).map(spell),
    ...DOCUMENTS.filter((name) => existsSync(join(ROOT, name)))
      .map((name) => ({ path: name, data: readFileSync(join(ROOT, name)) })),
  ];
  const problems = packageProblems(files, Object.values(BINS), Object.keys(manifest.dependencies));
  if (problems.length > 0) throw new Error(`Cannot ship the package:\n${problems.join("\n")}`);
  const path = join(resolve(folder), `zgroup-${manifest.version}.tgz`);
  writeFileSync(path, writeTgz(files.map((file) => ({ ...file, path: `package/${file.path}` }))));
  return { path, files };
}

/** What `deno pack` makes of a copy of the sources in which every program is an export. */
function pack(): TarFile[] {
  const stage = mkdtempSync(join(tmpdir(), "zgroup-npm-"));
  try {
    for (const name of SOURCES) cpSync(join(ROOT, name), join(stage, name), { recursive: true });
    const config = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
    const exports = { ".": "./mod.ts" } as Record<string, string>;
    for (const [name, path] of Object.entries(BINS)) {
      exports[`./${name}`] = `./${path.replace(/\.js$/, ".ts")}`;
    }
    writeFileSync(join(stage, "deno.json"), JSON.stringify({ ...config, exports }));
    const archive = join(stage, "packed.tgz");
    const { status, stderr } = spawnSync(
      process.execPath,
      ["pack", "--no-source-maps", "--allow-dirty", "-o", archive],
      { cwd: stage, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
    );
    // Without a type on every public symbol deno pack goes on and leaves the declarations out;
    // that it leaves out those of modules that are not public is as it should be.
    if (status !== 0 || /^error/m.test(stderr)) {
      const said = stderr.replace(/^Could not generate types for .*\n/gm, "").trim();
      throw new Error(`Cannot build the package: deno pack says\n${said}`);
    }
    return readTgz(readFileSync(archive))
      .map((file) => ({ ...file, path: file.path.replace(/^package\//, "") }));
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** Code and declarations, but not the empty declarations of the programs. */
function isShipped({ path }: TarFile): boolean {
  if (/^(bin\/.*|registry|group|user)\.d\.ts$/.test(path)) return false;
  return /\.js$|\.d\.ts$/.test(path);
}

function spell({ path, data }: TarFile): TarFile {
  const executable = Object.values(BINS).includes(path);
  let code = Buffer.from(data).toString("utf8");
  if (!executable) code = code.replace(/^#!.*\n/, "");
  for (const [deno, node] of SPELLINGS) code = code.replace(deno, node);
  if (path.endsWith(".d.ts") && DISPOSABLE.test(code)) {
    code = `/// <reference lib="esnext.disposable" />\n${code}`;
  }
  return { path, data: Buffer.from(code), executable };
}

/** Native code, for who asks for the second engine: where it cannot be installed all else works. */
const OPTIONAL = "zeromq";

function packageJson({ version, license, dependencies }: Manifest): object {
  const { [OPTIONAL]: optional, ...needed } = dependencies;
  return {
    name: "zgroup",
    version,
    description: "Group messaging over ZeroMQ on your own machines, with history that stays",
    keywords: ["zeromq", "chat", "group", "messaging", "pubsub", "log", "cli", "lan"],
    license,
    type: "module",
    engines: { node: `>=${LOWEST_NODE}` },
    bin: BINS,
    types: "./mod.d.ts",
    exports: {
      ".": { types: "./mod.d.ts", default: "./mod.js" },
      "./package.json": "./package.json",
    },
    dependencies: needed,
    optionalDependencies: { [OPTIONAL]: optional },
  };
}

function text(files: readonly TarFile[], path: string): string {
  const file = files.find((one) => one.path === path);
  if (!file) throw new Error(`Cannot build the package: deno pack made no ${path}`);
  return Buffer.from(file.data).toString("utf8");
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value, null, 2) + "\n");
}

if (import.meta.main) {
  const { path, files } = buildNpm(process.argv[2] ?? ".");
  const size = readFileSync(path).length;
  console.log(`${path}: ${files.length} files, ${Math.ceil(size / 1024)} KiB`);
}
