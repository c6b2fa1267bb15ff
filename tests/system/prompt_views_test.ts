/** The prompt in real terminals: one view a group, what is unread elsewhere, who is mentioned. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { formatDay } from "../../lib/text/time.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { PromptWorld } from "./prompt_world.ts";

const skip = NO_TERMINAL;
const [ALT_1, ALT_2, ALT_9] = ["\x1b1", "\x1b2", "\x1b9"];
/** The line of a day. */
const DAY = /^— \w{3} \d{1,2} \w{3} \d{4} —$/m;

test(
  "prompt: only the current group's messages are shown; others are counted, and a key away",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      await world.group("Ops");
      await world.group("Team Room");
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      for (const group of ["Lab", "Ops", "Team Room"]) await bob.join(group);
      const alice = await world.person("alice", { rows: 30 });
      for (const group of ["Ops", "Team Room", "Lab"]) {
        await alice.enter(`join_group ${group}`, "* alice joined");
        await alice.line(`${group}>`);
      }
      await bob.send("Ops", "the disk is full");
      await alice.line("Lab (Ops 1)>");
      await bob.send("Ops", "still");
      await bob.send("Team Room", "mail alice@example.org, not @alicia");
      await bob.send("Team Room", "hello @Alice, look");
      await bob.send("Team Room", "that is all");
      await alice.line("Lab (Ops 2, Team Room @1)>");
      bob.typing("Team Room");
      await bob.send("Lab", "here");
      await alice.shows(/bob: here\nLab \(Ops 2, Team Room @1\)>$/);
      assert.doesNotMatch(alice.text, /disk|look|is typing/);
      await alice.enter("show_groups", /^2\. Ops - \S+ \(2 unread\)$/m);

      // By number, also with a line that is half typed; a line stands where one stopped reading.
      alice.type("half");
      await alice.line("Lab (Ops 2, Team Room @1)> half");
      alice.type(ALT_2);
      await alice.shows(
        /^\* plain text goes to Ops now\n[^]*\* alice joined\n— new —\n\[[\d:]{8}\] bob: the disk is full\n\[.*\] bob: still\nOps \(Team Room @1\)> half$/m,
      );
      alice.press("ctrl-c");
      await alice.line("Ops (Team Room @1)>");
      alice.press("tab");
      const shown = await alice.shows(
        /^— new —\n\[.*\] bob: mail alice@.*\n@ \[[\d:]{8}\] bob: hello @Alice, look\n\[.*\] bob: that is all\nTeam Room>$/m,
      );
      assert.equal(shown.split("* Team Room was founded").length, 3, "ten entries are shown");
      assert.doesNotMatch(shown, /missed|Page Up shows more/, "there is room for all");
      assert.equal(shown.match(new RegExp(DAY, "gm"))?.length, 1, "the day is told once");
      assert.match(shown, new RegExp(`^— ${formatDay(Date.now())} —$`, "m"));
      alice.press("tab");
      await alice.shows("* nothing is unread");
      alice.type(ALT_9);
      await alice.shows("* there is no group 9; show_groups numbers them");
      alice.type(ALT_1);
      await alice.line("Lab>");
      await alice.enter("send_message Ops from afar", "SUCCESS");
      assert.doesNotMatch(alice.text, /alice: from afar/);
      await alice.enter("get_messages Ops 1h", /^\[Ops\] \[.*\] alice: from afar$/m);

      // What came while nobody sat there: the groups with their counts, and where one stopped.
      alice.type("exit\r");
      assert.equal(await alice.end(), 0);
      for (let n = 1; n <= 40; n++) await bob.send("Ops", `missed ${n}`);
      await bob.send("Lab", "one more");
      const again = await world.person("alice", { rows: 30 });
      await again.shows("* unread: Ops 40; Tab on an empty line goes there\nLab (Ops 40)>");
      await again.shows(/bob: here\n— new —\n\[.*\] bob: one more\n/);
      await again.enter("switch Ops", /^\* Ops: 41 entries missed, the last 25 .*:$/m);
      const ops = await again.shows(/bob: missed 40\nOps>$/);
      assert.match(ops, /missed, .*:\n\[.*\] bob: missed 16\n/);
      await again.enter("switch Ops", "bob: missed 31");
      again.type("exit\r");
      assert.equal(await again.end(), 0);
      // All of it is seen now, and nothing else was.
      const third = await world.person("alice", { rows: 30 });
      await third.shows(/bob: one more\nLab>$/);
      assert.deepEqual(alice.screen.strange, ["\x07"], "it rings at a mention, and nowhere else");
      for (const { screen } of [again, third]) assert.deepEqual(screen.strange, []);
    }),
);

/** What a mention writes to a terminal of this environment. */
const ALERTS: readonly (readonly [string, Record<string, string>, readonly string[], string])[] = [
  ["any terminal", { TERM_PROGRAM: "" }, [], "\x07"],
  ["iTerm2", { TERM_PROGRAM: "iTerm.app" }, [], "\x07\x1b]9;Lab, bob: @alice \\x1b]0;x\\x07\x07"],
  ["foot", { TERM: "foot", TERM_PROGRAM: "" }, [], "\x07\x1b]777;notify;zgroup;Lab, bob: @alice "],
  ["--no-bell", { TERM_PROGRAM: "iTerm.app" }, ["--no-bell"], ""],
];

test(
  "prompt: a mention rings once, and tells the desktop where the terminal can",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      await bob.join("Lab");
      await bob.send("Lab", "@alice this is history");
      for (const [what, env, args, expected] of ALERTS) {
        const alice = await world.member("alice", {
          env: { TMUX: "", LC_TERMINAL: "", ...env },
          args,
        });
        const before = alice.written.length;
        await alice.enter(`I am @alice, at ${what}`, `alice: I am @alice, at ${what}`);
        await bob.send("Lab", "@alice \x1b]0;x\x07");
        await bob.send("Lab", `@alice at ${what}`);
        await alice.shows(`bob: @alice at ${what}\nLab>`);
        assert.ok(!alice.written.slice(0, before).includes("\x07"), `${what}: history rings`);
        const written = alice.written.slice(before);
        if (expected === "") assert.ok(!written.includes("\x07"), what);
        else assert.equal(written.split(expected).length, 2, `${what}: ${JSON.stringify(written)}`);
        assert.equal(written.split("\x1b]").length, expected.includes("\x1b]") ? 2 : 1, what);
        alice.type("leave_group Lab\rexit\r");
        assert.equal(await alice.end(), 0);
      }
    }),
);

test(
  "prompt: @ completes the members of the group, also those with spaces",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const connected = (name: string) => connect({ name, registries: [world.registry] });
      const [ann, sam, twin] = await Promise.all(["Ann Lee", "sam", "Sam"].map(connected));
      for (const user of [ann, sam, twin]) await keep(user).join("Lab");
      const alice = await world.member("alice");
      const completes = async (typed: string, line: string) => {
        alice.type(typed);
        await alice.line(`Lab> ${typed}`.trimEnd());
        alice.press("tab");
        await alice.line(`Lab> ${line}`);
        alice.press("ctrl-c");
        await alice.line("Lab>");
      };
      await completes("well, @an", "well, @Ann Lee");
      await completes("@Ann L", "@Ann Lee");
      await completes(`@sam#${sam.id.slice(0, 4)}`, `@sam#${sam.id.slice(0, 8)}`);
      const zoe = keep(await connected("Zoë"));
      await zoe.join("Lab");
      await alice.shows("* Zoë joined");
      await completes("@zo", "@Zoë");
      await zoe.leave("Lab");
      await alice.shows("* Zoë left");
      await completes("@zo", "@zo");
      assert.deepEqual(alice.screen.strange, []);
    }),
);
