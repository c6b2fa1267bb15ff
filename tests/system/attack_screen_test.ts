/** Hostile strings through the real programs: nothing that a terminal would obey comes out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Counts, processWorld, row } from "./attack_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

const CORPUS: readonly string[] = [
  "\x1b[2J\x1b[H", // clears the screen
  "\x1b]0;owned\x07", // sets the title
  "\x1b]52;c;cm0gLXJmIC8=\x07", // writes to the clipboard
  "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", // a link
  "\x1b[8mhidden\x1b[28m",
  "\x1b[1A\x1b[2Kreplaced", // the line above
  "\x1bP+q544e\x1b\\", // asks the terminal, which types the answer
  "\x1b[6n",
  "\x9b31mred\x9d0;title\x9c", // the same with C1
  "\x1bc", // resets
  "\x0e\x0f", // other letters
  "\b\b\b\b\b\b\b\bback",
  "\rSUCCESS",
  "over\r\n[2026-01-01 00:00:00] founder: I never said this",
  "line\n[2026-01-01 00:00:00] founder: nor this",
  "\n* founder banned everybody",
  "\v\f\x85\u2028\u2029[2026-01-01 00:00:00] founder: nor this",
  "\u202egnp.exe", // right to left
  "\u2066\u2067\u2068isolated\u2069",
  "a\u200bb\u200cc\u200dd\u2060e\ufefff", // zero width
  "\u{e0041}\u{e0042}", // tags
  "\u3164\u115f\uffa0",
  "z\u0335\u0336\u0337\u0338\u0335\u0336\u0337\u0338\u0335\u0336\u0337\u0338",
  "\x00\x01\x02\x7f",
  "x".repeat(5_000) + "\x1b[31m",
];

/** What no terminal may get beside line feeds. */
const OBEYED =
  // deno-lint-ignore no-control-regex -- these are what it looks for
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u3164\u115f\uffa0\u{e0000}-\u{e007f}]/u;

test("attack: hostile names are refused, hostile texts come out of the programs harmless", async () => {
  await closing(async (keep) => {
    const home = keep(new Folder()).path;
    const { address, registries, process: group } = await processWorld(keep, home);
    const [registry] = registries;
    const names = new Counts();
    for (const name of CORPUS) {
      await using hand = await Hand.open(address, { name: name.slice(-60) });
      names.add(await codeOf(hand.prove()));
    }
    row("hostile names", names.all);
    assert.deepEqual(names.all, { bad_request: CORPUS.length });

    const mallory = keep(await Hand.member(address));
    for (const text of CORPUS) await mallory.send(text);
    const founder = await connect({ home, registries });
    try {
      await founder.join("Lab");
      for (const topic of CORPUS) {
        await founder.act("Lab", { action: "topic", topic: topic.slice(0, 250) });
      }
    } finally {
      await founder.close();
    }

    for (const args of [["read", "Lab"], ["read", "Lab", "--json"], ["topic", "Lab"], ["list"]]) {
      const all = [...args, "--home", home, "--registry", registry];
      await using program = new Process(ours("user.ts", ...all));
      program.finish();
      assert.equal((await program.end(20_000)).code, 0, program.output);
      const found = OBEYED.exec(program.output.replaceAll("\n", ""));
      assert.equal(found, null, `${args}: ${JSON.stringify(found?.[0])}`);
      if (args.length !== 2 || args[0] !== "read") continue;
      const lines = program.output.split("\n");
      const said = lines.filter((line) => line.startsWith("["));
      row("hostile texts", {
        tried: CORPUS.length,
        lines: lines.length,
        "lines faked": said.length - CORPUS.length,
      });
      assert.equal(said.length, CORPUS.length);
      assert.equal(said.filter((line) => line.includes("] mallory: ")).length, CORPUS.length);
      assert.equal(lines.filter((line) => /^\* founder banned/.test(line)).length, 0);
    }
    assert.equal(OBEYED.exec(group.output.replaceAll("\n", "")), null);
  });
});
