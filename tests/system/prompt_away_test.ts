/** The prompt in a real terminal: several groups, groups that go away and come back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { PromptWorld } from "./prompt_world.ts";

const skip = NO_TERMINAL;

test(
  "prompt: --all shows messages of every joined group, each under its name, and counts those elsewhere",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      await world.group("Cool Group");
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      await bob.join("Lab");
      await bob.join("Cool Group");
      const alice = await world.member("alice", { args: ["--all"] });
      await alice.enter("join_group Cool Group", "[Cool Group] * alice joined");
      await alice.line("Cool Group>");
      await bob.send("Lab", "here");
      await alice.shows(/^\[Lab\] \[.*\] bob: here\nCool Group \(Lab 1\)>$/m);
      await bob.send("Cool Group", "and there");
      await alice.shows(/^\[Cool Group\] \[.*\] bob: and there\nCool Group \(Lab 1\)>$/m);
      bob.typing("Cool Group");
      await alice.shows(/^bob is typing …\nCool Group \(Lab 1\)>$/m);
      await bob.send("Cool Group", "written");
      await alice.shows(/bob: written\nCool Group \(Lab 1\)>$/);
      await alice.enter("switch Lab", /^Lab>$/m);
      // What came while nobody sat there is shown at the next start.
      alice.type("exit\r");
      assert.equal(await alice.end(), 0);
      for (let n = 1; n <= 12; n++) await bob.send("Lab", `missed ${n}`);
      const again = await world.person("alice", { args: ["--all"] });
      const shown = await again.shows(/bob: missed 12\n/);
      assert.match(shown, /^\* Lab: 12 entries missed, the last 10 \(Page Up shows more\):$/m);
      assert.doesNotMatch(shown, /missed 2\n|and there/);
      assert.deepEqual([...alice.screen.strange, ...again.screen.strange], []);
    }),
);

test(
  "prompt: what is sent to a group that is away is shown as waiting, and goes out when it is back",
  {
    skip,
  },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const room = await world.group("Room");
      const alice = await world.person("alice");
      await alice.enter("join_group Room", "* alice joined");
      await alice.line("Room>");
      await room.close();
      await alice.shows("* Room is unreachable; what you send waits for it");
      for (const text of ["one", "two", "three", "four", "five"]) {
        alice.type(`${text}\r`);
        // Four are shown, and how many more there are.
        await alice.shows(text === "five" ? "… and 1 more\nRoom>" : `… Room: ${text}\nRoom>`);
      }
      alice.type("half a li");
      await alice.line("Room> half a li");
      const { address } = room;
      await world.group("Room", { address });
      const shown = await alice.shows(/alice: five\nRoom> half a li$/);
      assert.match(shown, /^\* Room is back$/m);
      assert.deepEqual(
        [...shown.matchAll(/^\[.*\] alice: (.*)$/gm)].map(([, text]) => text),
        ["one", "two", "three", "four", "five"],
      );
      assert.doesNotMatch(shown, /…/);
      assert.deepEqual(alice.screen.strange, []);
    }),
);

test(
  "prompt: what was not sent before the end is told, shown at the next start, and goes out then",
  {
    skip,
  },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const room = await world.group("Room");
      const alice = await world.person("alice");
      await alice.enter("join_group Room", "* alice joined");
      await room.close();
      await alice.shows("* Room is unreachable");
      await alice.enter("for later", "… Room: for later");
      alice.type("exit\r");
      assert.equal(await alice.end(), 0);
      assert.match(alice.text, /^\* 1 message not sent yet: kept for the next time$/m);

      const again = await world.person("alice", { start: /^Room>/m });
      await again.shows("* Room: 1 message not sent yet");
      await again.line("Room>");
      await again.shows(/^\* Room is unreachable.*\n\* the last that was read of Room:\n— .* —\n/m);
      await world.group("Room", { address: room.address });
      await again.shows(/alice: for later\nRoom>$/);
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      await bob.join("Room");
      await again.shows("* bob joined");
      assert.deepEqual([...alice.screen.strange, ...again.screen.strange], []);
    }),
);

test(
  "prompt: a group that removes somebody, or refuses a text, says so",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const founder = keep(
        await connect({ name: "founder", registries: [world.registry], home: world.home }),
      );
      await world.group("Room", { home: world.home });
      await founder.join("Room");
      const alice = await world.person("alice");
      await alice.enter("join_group Room", "* alice joined");
      await alice.line("Room>");
      await founder.act("Room", { action: "mute", user: "alice" });
      await alice.shows("muted alice");
      await alice.enter("may I", /^FAILED: .*muted.*$/m);
      await alice.line("Room>");
      await founder.act("Room", { action: "remove", user: "alice" });
      await alice.shows("* Room: you are no member any more");
      await alice.line("zgroup>");
      assert.doesNotMatch(alice.text, /…/);
      await alice.enter(
        "/members Room",
        '\nFAILED: You are not a member of "Room": join_group Room first\n',
      );
      await alice.enter("join_group Lab", "SUCCESS");
      await alice.enter("join_group Room", "* alice joined");
      await alice.line("Room>");
      alice.type("founder is");
      await alice.line("Room> founder is");
      await founder.act("Room", { action: "ban", user: "alice" });
      await alice.shows("* Room: you are banned from it\n* /switch G goes to another group");
      // What was typed for one group never goes to another, or is a command, by itself.
      await alice.line("zgroup> founder is");
      await alice.enter(" so", /^FAILED: Cannot send this: you are in no group now; \/switch G/m);
      await alice.line("zgroup> founder is so");
      alice.press("ctrl-c");
      await alice.line("zgroup>");
      await alice.enter("/switch Lab", "* plain text goes to Lab now");
      await alice.line("Lab>");
      assert.doesNotMatch(alice.text, /alice: founder/);
      await alice.enter(
        "/members Room",
        'FAILED: Cannot do that in "Room": you are banned from it, until an admin lifts that',
      );
    }),
);

test(
  "prompt: start gives a registry, the Lobby and the prompt, to a second one as well",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const first = await world.starting("alice");
      await first.enter("hello", "alice: hello");
      const second = await world.starting("bob");
      await second.shows(/^\* joined Lobby \S+ [^]*which runs already$/m);
      await second.enter("hello back", "bob: hello back");
      await first.shows("bob: hello back");
      second.press("ctrl-d");
      assert.equal(await second.end(), 0);
      first.press("ctrl-c");
      assert.equal(await first.end(), 0);
    }),
);
