/** `user.ts doctor --log`, run. */

import assert from "node:assert/strict";
import { ours, Process } from "./processes.ts";

/** What the doctor says of a database: its lines about that, and the exit code. */
export async function says(home: string, url: string, ...options: string[]) {
  const where = ["--home", home, "--registry", "127.0.0.1:1"];
  const doctor = new Process(
    ours("user.ts", "doctor", "--json", "--log", url, ...where, ...options),
  );
  try {
    await doctor.end(30_000);
  } finally {
    await doctor.kill();
  }
  const password = /:([^:@]+)@/.exec(url)?.[1];
  assert.ok(!password || !doctor.output.includes(password), "the password is shown");
  const found: { good: boolean; text: string; advice?: string }[] = doctor.output.split("\n")
    .filter((line) => /"text":"(database|group|Cannot (?!reach the registry))/.test(line)).map((
      line,
    ) => JSON.parse(line));
  const wrong = found.filter(({ good }) => !good);
  return {
    all: found.map(({ text }) => text),
    wrong: wrong.map(({ text, advice }) => `${text}; ${advice}`),
    output: doctor.output,
  };
}
