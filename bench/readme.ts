/** Puts the figures of a run into the bench's README, between the comments that are there for it. */

import { differences, type Result, table } from "./results.ts";

const FILE = new URL("README.md", import.meta.url);

/** See the head of this file. @throws {Error} the comments are gone */
export async function readme(header: string, results: readonly Result[]): Promise<void> {
  const figures = `\`\`\`\n${header}\n\`\`\`\n\n${table(results)}`;
  let text = Deno.readTextFileSync(FILE);
  for (const [name, part] of [["figures", figures], ["before", differences(results)]]) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) {
      throw new Error(`Cannot put ${name} into README.md: no place for it`);
    }
    text = `${text.slice(0, from + begin.length)}\n\n${part}\n\n${text.slice(to)}`;
  }
  Deno.writeTextFileSync(FILE, text);
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", FILE.pathname] }).output();
}
