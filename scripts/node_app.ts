/** A folder in which the npm package is installed, as a person would, with our tests beside it. */

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { must } from "./run_command.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const PROGRAMS = ["registry", "group", "user"];
/** What tests read beside themselves. */
const BESIDE_TESTS = /^(tests|scripts|examples|deno\.json|.*\.md)$/;

/** A version of Node. */
export interface Node {
  readonly version: string;
  /** Its executable. */
  readonly path: string;
}

/** Fetches a version of Node as an npm package, or finds it in npm's cache. */
export async function fetchNode(version: string, cwd: string): Promise<Node> {
  const print = "process.version.slice(1) + ' ' + process.execPath";
  const command = ["npx", "-y", "-p", `node@${version}`, "node", "-p", print];
  const [found, ...path] = (await must(command, { cwd, limit: 120_000 })).trim().split(" ");
  return { version: found, path: path.join(" ") };
}

/** An environment in which `node` is this one. */
export function withNode({ path }: Node): { PATH: string } {
  return { PATH: `${dirname(path)}${delimiter}${process.env.PATH}` };
}

/** Installs packages with npm. */
export async function npmInstall(folder: string, node: Node, what: readonly string[]) {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  await must(["npm", "install", ...quiet, ...what], { cwd: folder, env: withNode(node) });
}

/** Installs what only tests import: it stands in deno.json, and is no dependency of the package. */
export async function installTestPackages(folder: string, node: Node): Promise<void> {
  const installed = join(folder, "node_modules", "zgroup", "package.json");
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(installed, "utf8"));
  const { imports } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const packages = Object.entries(imports as Record<string, string>)
    .filter(([, specifier]) => specifier.startsWith("npm:"))
    .filter(([name]) => !Object.hasOwn({ ...dependencies, ...optionalDependencies }, name))
    .map(([, specifier]) => specifier.replace(/^npm:/, ""));
  await npmInstall(folder, node, packages);
}

/** A declaration with `using`, which Node 22 does not read. */
const USING = /^\s*(?:await )?using \w/m;

/**
 * Writes `using` of the tests as older Nodes read it; what they test and say stays the same.
 *
 * @param types folder in which the TypeScript compiler is installed
 */
function lowerUsing(folder: string, types: string): void {
  const { transpile, ScriptTarget, ModuleKind } = createRequire(join(types, "lower.js"))(
    "typescript",
  );
  const options = {
    target: ScriptTarget.ES2022,
    module: ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  for (const file of filesBelow(folder).filter((path) => path.endsWith(".ts"))) {
    const text = readFileSync(file, "utf8");
    if (USING.test(text)) writeFileSync(file, transpile(text, options));
  }
}

/**
 * Puts the tests into the folder, but for `using` unchanged. In the place of every source file that they name
 * stands one line that leads to the same file of the installed package.
 */
export function addTests(folder: string, types: string): string[] {
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  for (const name of readdirSync(ROOT).filter((one) => BESIDE_TESTS.test(one))) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  const config = JSON.parse(readFileSync(join(folder, "deno.json"), "utf8"));
  // A test may run Deno here: it must leave what npm installed as it is.
  write("deno.json", JSON.stringify({ ...config, nodeModulesDir: "manual" }));
  const installed = join(folder, "node_modules", "zgroup");
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  write("package.json", JSON.stringify({ ...manifest, type: "module" }));
  write("mod.ts", `export * from "zgroup";\n`);
  for (const program of PROGRAMS) {
    const bin = `./node_modules/zgroup/bin/zgroup_${program}.js`;
    write(`${program}.ts`, `import "${bin}";\n`);
  }
  for (const file of filesBelow(join(installed, "lib")).filter((path) => path.endsWith(".js"))) {
    const source = join(folder, relative(installed, file)).replace(/\.js$/, ".ts");
    mkdirSync(dirname(source), { recursive: true });
    const target = relative(dirname(source), file).replaceAll("\\", "/");
    writeFileSync(source, `export * from "${target}";\n`);
  }
  lowerUsing(join(folder, "tests"), types);
  return filesBelow(join(folder, "tests"))
    .filter((path) => path.endsWith("_test.ts"))
    .map((path) => relative(folder, path))
    .sort();
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
