/** Hostile strings through the real programs: nothing that a terminal would obey comes out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Counts, processWorld, row } from "./attack_world.ts";
import { CORPUS, OBEYED } from "./hostile.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

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
