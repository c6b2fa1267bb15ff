/** The prompt in a real terminal: a group that does not answer holds nobody up. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { closing } from "../support.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { PromptWorld } from "./prompt_world.ts";

const skip = NO_TERMINAL;
/** A command that waits for an answer takes longer, ms. */
const AT_ONCE = 1_500;

test(
  "prompt: what waits for a group that is away runs beside the line being typed, and is stopped alone",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const room = await world.group("Room");
      const alice = await world.person("alice");
      await alice.enter("join_group Room", "* alice joined");
      await alice.enter("join_group Lab", /\* Lab was founded\n\* alice joined/);
      await room.close();
      await alice.shows("* Room is unreachable");

      const begin = performance.now();
      await alice.enter("show_groups", /^2\. Room - \S+ \(unreachable\)$/m);
      await alice.enter("/rename Alicia", "SUCCESS");
      const took = performance.now() - begin;
      assert.ok(took < 2 * AT_ONCE, `${took} ms`);

      // A text goes out meanwhile, a command waits its turn, and the line being typed stays.
      alice.type("members Room\r");
      await alice.shows("members runs; Ctrl-C stops it\nLab>");
      await alice.enter("meanwhile", /Alicia: meanwhile\nmembers runs; Ctrl-C stops it\nLab>/);
      alice.type("list_groups\r");
      await alice.shows("members runs; Ctrl-C stops it\n… list_groups (waits)\nLab>");
      alice.type("half a li");
      await alice.line("Lab> half a li");
      alice.press("ctrl-c");
      await alice.shows(/^\* members stopped\n1\. Lab - .*\nLab> half a li$/m);

      // A question comes in its turn, and the line that was begun stands there again behind it.
      alice.press("ctrl-c");
      await alice.line("Lab>");
      alice.type("members Room\r");
      await alice.shows("members runs; Ctrl-C stops it\nLab>");
      alice.type("send_message Lab\r");
      await alice.shows("… send_message Lab (waits)\nLab>");
      alice.type("begun");
      await alice.line("Lab> begun");
      alice.press("ctrl-c");
      await alice.line("…");
      await alice.enter("an answer", /^… an answer\n… *$/m);
      await alice.enter("END", /SUCCESS\n.*Alicia: an answer\nLab> begun$/);
      alice.press("enter");
      await alice.shows(/Alicia: begun\nLab>$/);

      // What is typed behind a command that goes elsewhere is for there, or for nobody.
      alice.type("join_group 127.0.0.1:9\r");
      await alice.shows("join_group runs; Ctrl-C stops it\nLab>");
      alice.type("for them\r");
      await alice.shows("… for them (waits)\nLab>");
      alice.press("ctrl-c");
      await alice.shows(
        /^FAILED: Cannot send "for them": the command before it failed; Up brings/m,
      );
      await alice.line("Lab>");
      assert.doesNotMatch(alice.text, /Alicia: for them|runs;|waits\)/);
      alice.type("join_group 127.0.0.1:9\r");
      await alice.shows("join_group runs; Ctrl-C stops it\nLab>");
      alice.type("exit\r");
      await alice.shows("… exit (waits)");
      alice.press("ctrl-c");
      assert.equal(await alice.end(), 0);
      assert.deepEqual(alice.screen.strange, []);
    }),
);
