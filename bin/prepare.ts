/** Comes before everything else on Node: is it new enough, and what it need not say. */

import { isBuiltin } from "node:module";
import process from "node:process";

if (!isBuiltin("node:sqlite")) {
  console.error(
    `FAILED: Cannot run on Node ${process.versions.node}: zgroup needs Node 22.13 or newer`,
  );
  process.exit(1);
}

// Some versions of Node call node:sqlite experimental.
const { emitWarning } = process;
process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
  const [type] = rest;
  const name = typeof type === "string" ? type : (type as { type?: string } | undefined)?.type;
  if (name === "ExperimentalWarning" && String(warning).startsWith("SQLite")) return;
  Reflect.apply(emitWarning, process, [warning, ...rest]);
}) as typeof emitWarning;
