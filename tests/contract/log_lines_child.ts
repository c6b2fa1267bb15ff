/** Writes numbered lines to a log file that others write, too: `PATH SIZE KEPT NAME LINES`. */

import { writeSync } from "node:fs";
import process from "node:process";
import { LogFile } from "../../lib/run/log_file.ts";

const [path, size, kept, name, lines] = process.argv.slice(2);
const file = new LogFile(path, { size: Number(size), kept: Number(kept) });
for (let i = 0; i < Number(lines); i++) {
  writeSync(file.fd, new TextEncoder().encode(`${name} ${i} ${"x".repeat(i % 90)}.\n`));
}
file.close();
