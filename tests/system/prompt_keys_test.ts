/** The prompt in a real terminal: what keys do, what stays of a line that is being typed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { Process } from "./processes.ts";
import { PromptWorld } from "./prompt_world.ts";

const skip = NO_TERMINAL;

test(
  "prompt: what is half typed stays when messages come, wherever the cursor is",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      await bob.join("Lab");
      const alice = await world.member("alice", { columns: 60 });
      await alice.line("Lab>");
      alice.type("half of a li");
      await alice.line("Lab> half of a li");
      // deno-lint-ignore no-control-regex -- the screen is emptied
      await alice.writes(() => alice.press("ctrl-l"), /\x1b\[H\x1b\[2JLab> half of a li$/);
      await bob.send("Lab", "a word");
      await alice.shows(/bob: a word\nLab> half of a li$/);

      // Longer than a row, and the cursor in its middle.
      alice.type("ne that goes on and on until it is longer than 60 columns");
      const line = "Lab> half of a line that goes on and on until it is longer t\nhan 60 columns";
      await alice.shows(line);
      alice.press("left", "left", "left");
      await alice.line("han 60 columns");
      await bob.send("Lab", "another word that is so long that it takes more than a row itself");
      const shown = await alice.shows(
        /bob: another word that is so long that it takes\n {4}more than a row itself\nLab> half/,
      );
      assert.ok(shown.endsWith(`itself\n${line}`), shown);
      alice.type("X");
      await alice.line("han 60 coluXmns");
      assert.equal(shown.split("half of a li").length, 2, "the line stands there once");
      alice.press("enter");
      await alice.shows(/alice: half of a line[^]*60 coluXmns\nLab>$/);
      assert.deepEqual(alice.screen.strange, ["\x1b[2J"], "of Ctrl-L");
    }),
);

test(
  "prompt: Tab completes commands, groups and members; Up brings lines back, of earlier days, too",
  {
    skip,
  },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      await world.group("Cool Group");
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      const alice = await world.person("alice");
      alice.type("join_g");
      await alice.line("zgroup> join_g");
      alice.press("tab");
      await alice.line("zgroup> join_group");
      alice.press("ctrl-c");
      await alice.line("zgroup>");
      await alice.enter("list_groups", "2. Lab - ");
      await alice.line("zgroup>");
      alice.type("join_group L");
      await alice.line("zgroup> join_group L");
      alice.press("tab");
      await alice.line("zgroup> join_group Lab");
      await alice.enter("", "* alice joined");
      await alice.line("Lab>");
      alice.type("join_group C");
      await alice.line("Lab> join_group C");
      alice.press("tab");
      await alice.line('Lab> join_group "Cool Group"');
      await alice.enter("", /SUCCESS\n\* Cool Group was founded\n\* alice joined/);
      await alice.line("Cool Group>");

      await bob.join("Cool Group");
      await alice.shows("* bob joined");
      alice.type("hello @b");
      await alice.line("Cool Group> hello @b");
      alice.press("tab");
      await alice.line("Cool Group> hello @bob");
      await alice.enter("", "alice: hello @bob");
      await alice.line("Cool Group>");
      alice.press("up");
      await alice.line("Cool Group> hello @bob");
      alice.press("up");
      await alice.line('Cool Group> join_group "Cool Group"');
      alice.press("down", "down");
      await alice.line("Cool Group>");
      alice.press("ctrl-d");
      assert.equal(await alice.end(), 0);

      const again = await world.person("alice");
      again.press("up");
      await again.line("Cool Group> hello @bob");
      assert.deepEqual([...alice.screen.strange, ...again.screen.strange], []);
    }),
);

test(
  "prompt: Ctrl-C drops what is typed, and ends the program where nothing is typed",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice");
      alice.type("never to be sent");
      await alice.line("Lab> never to be sent");
      alice.press("ctrl-c");
      await alice.line("Lab>");
      // Also at a question, and that is all that it ends.
      await alice.enter("send_message Lab", "END on a line of its own");
      await alice.line("…");
      await alice.enter("a first line", /^… a first line\n… *$/m);
      alice.type("half");
      await alice.line("… half");
      alice.press("ctrl-c");
      await alice.line("…");
      alice.press("ctrl-c");
      await alice.shows("* nothing was sent");
      await alice.line("Lab>");
      assert.doesNotMatch(alice.text, /alice: /);
      alice.press("ctrl-c");
      assert.equal(await alice.end(), 0);
    }),
);

test(
  "prompt: Ctrl-C stops a command that waits for an answer, alone; the next one ends the program",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.person("alice");
      // Nobody listens there, and that is found out after 4.5 s.
      alice.type("join_group 127.0.0.1:9\r");
      await alice.shows("join_group 127.0.0.1:9\nzgroup>");
      await alice.shows("join_group runs; Ctrl-C stops it\nzgroup>");
      alice.type("half a line");
      await alice.line("zgroup> half a line");
      const begin = performance.now();
      alice.press("ctrl-c");
      await alice.shows("* join_group stopped\nzgroup> half a line");
      alice.press("ctrl-c");
      await alice.line("zgroup>");
      alice.press("ctrl-c");
      assert.equal(await alice.end(), 0);
      assert.ok(performance.now() - begin < 3_000, `${performance.now() - begin} ms`);
      assert.doesNotMatch(alice.text, /FAILED|runs;/);
    }),
);

test(
  "prompt: Ctrl-D leaves, and a text that stands there is not sent",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice");
      await alice.enter("one message", "alice: one message");
      await alice.line("Lab>");
      alice.press("ctrl-d");
      assert.equal(await alice.end(), 0);
      assert.doesNotMatch(alice.text, /not sent yet/);
      const again = await world.person("alice");
      await again.enter("get_messages", /alice: one message/);
    }),
);

test(
  "prompt: a text of several lines goes out as one, by END or by a paste",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice");
      await alice.enter("send_message Lab", "END on a line of its own");
      for (const line of ["first", "", "  third: 漢字"]) {
        await alice.line("…");
        alice.type(line);
        await alice.line(`… ${line}`.trimEnd());
        alice.press("enter");
      }
      await alice.line("…");
      await alice.enter("END", /SUCCESS\n.*alice: first\n\n {6}third: 漢字\nLab>$/);
      alice.type("a paste\nof two lines\n");
      await alice.shows(/alice: a paste\n {4}of two lines\nLab>$/);
      // Its last line has no end yet, and can be edited.
      alice.type("again\nwithout an end");
      await alice.shows(/^1 line pasted: Enter sends all with this one, .*\nLab> without an end$/m);
      alice.press("enter");
      await alice.shows(/alice: again\n {4}without an end\nLab>$/);
      assert.deepEqual(alice.screen.strange, []);
    }),
);

test("prompt: 40 columns are enough", { skip }, () =>
  closing(async (keep) => {
    const world = await PromptWorld.start(keep);
    const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
    const alice = await world.member("alice", { columns: 40, rows: 12 });
    await bob.join("Lab");
    await alice.shows("* bob joined");
    alice.type("words that go over the end of a row, 漢字漢字");
    await alice.shows("Lab> words that go over the end of a row\n, 漢字漢字");
    await bob.send("Lab", "and an answer that goes over it as well, 漢字漢字漢字");
    await alice.shows(
      /bob: and an answer that goes\n {4}[^]*漢字\nLab> words that go over the end of a row\n, 漢字漢字$/,
    );
    alice.press("enter");
    const shown = await alice.shows(
      /alice: words that go over the\n {4}end of a row, 漢字漢字\nLab>$/,
    );
    for (const word of ["list_groups", "completes", "joins"]) {
      assert.match(shown, new RegExp(`\\b${word}\\b`), "a word of the first screen is cut in two");
    }
    assert.deepEqual(alice.screen.strange, []);
  }));

for (
  const [what, env] of [["TERM=dumb", { TERM: "dumb" }], ["NO_COLOR", { NO_COLOR: "1" }]] as const
) {
  test(
    `prompt: ${what} gets no sequence that it did not ask for`,
    { skip },
    () =>
      closing(async (keep) => {
        const world = await PromptWorld.start(keep);
        const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
        await bob.join("Lab");
        const alice = await world.person("alice", { env });
        const begin = alice.written.indexOf("zgroup"); // The runtime may clear a line of its own before.
        await alice.enter("join_group Lab", "* alice joined");
        alice.type("half ty");
        await alice.line("Lab> half ty");
        await bob.send("Lab", "hello");
        await alice.shows(/bob: hello\nLab> half ty$/);
        await alice.enter("ped", "alice: half typed");
        await alice.enter("join_group", "FAILED: Cannot join");
        // deno-lint-ignore no-control-regex -- colour, and for a dumb terminal anything
        const sequence = what === "NO_COLOR" ? /\x1b\[[\d;]*m/ : /[\x00-\x09\x0b\x0c\x0e-\x1f]/;
        assert.equal(sequence.exec(alice.written.slice(begin)), null);
        alice.type("exit\r");
        assert.equal(await alice.end(), 0);
      }),
  );
}

test("prompt: colours where the terminal has them", { skip }, () =>
  closing(async (keep) => {
    const world = await PromptWorld.start(keep);
    const alice = await world.member("alice");
    assert.ok(alice.written.includes("\x1b[32mSUCCESS\x1b[39m"), JSON.stringify(alice.written));
  }));

test("prompt: without a terminal commands are read line by line, and only results are printed", () =>
  closing(async (keep) => {
    const world = await PromptWorld.start(keep);
    const program = keep(new Process(world.command("alice", "--say")));
    program.write("join_group Lab\nhello from a pipe\n/switch Nowhere\nget_messages Lab\n");
    program.finish();
    assert.equal((await program.end(20_000)).code, 1);
    assert.match(program.errors, /^FAILED: You are not a member of "Nowhere": join_group Nowhere /);
    const lines = program.output.replace(program.errors, "").trimEnd().split("\n");
    assert.deepEqual(lines.slice(0, 4), [
      "SUCCESS",
      "SUCCESS",
      "* Lab was founded",
      "* alice joined",
    ]);
    assert.match(lines[4], /^\[.*\] alice: hello from a pipe$/);
    assert.equal(lines.length, 5);
  }));
