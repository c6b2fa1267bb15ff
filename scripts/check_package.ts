/** What must hold for every file of the npm package. */

import { Buffer } from "node:buffer";
import { builtinModules } from "node:module";
import { posix } from "node:path";
import type { TarFile } from "./tar.ts";

const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])([\w@./:-]+)\1/g;
/** Deno's own name; the readiness file asks for it, and does nothing without it. */
const DENO = /\bDeno\s*[.[]|globalThis[^\n]*\.Deno\b/;
const READINESS = "lib/transport/libzmq/readiness.js";
/** What `deno pack` leaves of a parameter that is taken apart: who calls it reads no names. */
const NAMELESS = /[(,]\s*(?:\{\}|\[\])\??:/;
const FORBIDDEN = /(^|\/)(tests?|bench|scripts|node_modules)\/|_test\.|\.lock$|lock\.json$/;

/** What is wrong with the files of a package, as sentences. */
export function packageProblems(
  files: readonly TarFile[],
  bins: readonly string[],
  dependencies: readonly string[],
): string[] {
  const paths = new Set(files.map(({ path }) => path));
  const imported = new Set<string>();
  const problems = ["mod.js", "mod.d.ts", "package.json", ...bins]
    .filter((path) => !paths.has(path))
    .map((path) => `${path} is missing`);
  for (const { path, data, executable } of files) {
    if (FORBIDDEN.test(path)) problems.push(`${path} does not belong into the package`);
    if (!/\.(js|d\.ts)$/.test(path)) continue;
    const code = Buffer.from(data).toString("utf8");
    if (path.endsWith(".d.ts") && NAMELESS.test(code)) {
      problems.push(`${path} declares a parameter without a name: take it apart in the body`);
    }
    if (path !== READINESS && DENO.test(code)) problems.push(`${path} uses Deno`);
    const shebang = code.startsWith("#!/usr/bin/env node\n");
    if (bins.includes(path) && !(shebang && executable)) {
      problems.push(`${path} is no program: it needs #!/usr/bin/env node and the right to run`);
    }
    if (!bins.includes(path) && code.startsWith("#!")) problems.push(`${path} has a #! line`);
    for (const [, , specifier] of code.matchAll(SPECIFIER)) {
      imported.add(specifier);
      const problem = specifierProblem(specifier, path, paths, dependencies);
      if (problem) problems.push(`${path} imports "${specifier}": ${problem}`);
    }
  }
  for (const name of dependencies) {
    const used = [...imported].some((one) => one === name || one.startsWith(`${name}/`));
    if (!used) problems.push(`${name} is a dependency that nothing imports: only tests need it`);
  }
  return problems;
}

function specifierProblem(
  specifier: string,
  path: string,
  paths: ReadonlySet<string>,
  dependencies: readonly string[],
): string | undefined {
  if (specifier.startsWith(".")) {
    if (!specifier.endsWith(".js")) return "it should end in .js";
    const target = posix.join(posix.dirname(path), specifier);
    const wanted = path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
    return paths.has(wanted) ? undefined : `there is no ${wanted}`;
  }
  if (specifier.startsWith("node:")) {
    const name = specifier.slice("node:".length);
    return builtinModules.includes(name) || builtinModules.includes(specifier)
      ? undefined
      : "there is no such part of Node";
  }
  if (specifier === "zgroup") return undefined; // the example in a comment
  return dependencies.some((name) => specifier === name || specifier.startsWith(`${name}/`))
    ? undefined
    : "it is no dependency";
}
