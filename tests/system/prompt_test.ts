/** The prompt in a real terminal: what its menu and its commands do. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { PROMPT_COMMANDS } from "../../lib/cli/commands/table.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { PromptWorld } from "./prompt_world.ts";

const skip = NO_TERMINAL;
/** What each number asks for. */
const ASKED: Readonly<Record<string, readonly string[]>> = {
  2: ["Group (name, number or IP:PORT):"],
  3: ["Group:"],
  4: ["Group:", "Text:"],
  5: ["Group:", "From when (Enter: all):"],
  7: ["Group:"],
  8: ["Name:"],
};
const MENU = "  9. Exit\nNumber (Enter goes back):";

test(
  "prompt: every number of the menu does what it says, and Enter goes back",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      await world.group("Cool Group");
      const alice = await world.person("alice");
      /** Chooses, and answers each question; then this is shown. */
      const choose = async (shows: string | RegExp, number: string, ...answers: string[]) => {
        const questions = ["Number (Enter goes back):", ...ASKED[number] ?? []];
        const typed = [number, ...answers];
        for (const [i, answer] of typed.entries()) {
          await alice.line(questions[i]);
          if (i === typed.length - 1) await alice.enter(answer, shows);
          else alice.type(`${answer}\r`);
        }
      };
      await alice.enter("menu", MENU);
      await choose(/^1\. Cool Group - \S+\n2\. Lab - /m, "1");
      await choose("* alice joined", "2", "2");
      await choose("* Cool Group was founded", "2", "cool group");
      await choose("alice: said by the menu", "4", "Cool Group", "said by the menu");
      await choose(/alice: said by the menu[^]*alice: said by the menu/, "5", "Cool Group", "");
      await choose(/^1\. Cool Group - \S+ \*\n2\. Lab - /m, "6");
      await choose(/^alice#[0-9a-f]{8} \(here\)$/m, "7", "Lab");
      await choose("* Own Room listens on 127.0.0.1:", "8", "Own Room");
      await choose("SUCCESS", "3", "Cool Group");
      await choose(/^1\. Lab - \S+\n2\. Own Room - \S+ \(founder\) \*$/m, "6");

      for (const wrong of ["0", "10", "x", "1 2", "-1"]) {
        await choose(`FAILED: Cannot choose "${wrong}": expected 1 to 9`, wrong);
      }
      // A question without an answer goes back to the menu, and so does Ctrl-C at it.
      await alice.line("Number (Enter goes back):");
      await alice.enter("3", "Group:");
      await alice.showsNext(() => alice.press("enter"), MENU);
      await alice.enter("4", /^Group: *$/m);
      await alice.showsNext(() => alice.press("ctrl-c"), MENU);
      await alice.line("Number (Enter goes back):");
      alice.press("enter");
      await alice.line("Own Room>");

      await alice.enter("menu", MENU);
      await alice.line("Number (Enter goes back):");
      alice.type("9\r");
      assert.equal(await alice.end(), 0);
      assert.deepEqual(alice.screen.strange, []);
    }),
);

/** Every command, what is typed, and what is seen of it; in an order in which each can be done. */
const SEEN: readonly (readonly [command: string, typed: string, shows: string | RegExp])[] = [
  ["list_groups", "list_groups", /^1\. Cool Group - \S+\n2\. Lab - /m],
  ["list_groups", "LIST-GROUPS Co", /^1\. Cool Group - \S+$/m],
  ["join_group", 'join_group "Cool Group"', "* alice joined"],
  ["create_group", "create_group My Room", /^\* My Room listens on 127\.0\.0\.1:\d+ until this/m],
  ["show_groups", "show_groups", /^1\. Cool Group - \S+\n2\. My Room - \S+ \(founder\) \*$/m],
  ["topic", "/topic what we do here", "* alice set the topic: what we do here"],
  ["topic", "/topic", /^what we do here$/m],
  ["invite", "/invite --uses 2 --for 1h", /^zgroup:\/\/\S+$/m],
  ["invite", "/invite --help", "Example: /invite --uses 5 --for 2d"],
  ["invites", "/invites", /^[0-9a-f]{8} {2}2 members, until 20\S+ \S+, as member, by alice$/m],
  ["revoke", "/revoke all", /^\* 1 open invite revoked\nSUCCESS$/m],
  ["promote", "/promote bob admin", "* alice promoted bob to admin"],
  ["demote", "/demote bob member", "* alice demoted bob to member"],
  ["mute", "/mute bob --for 1h", /\* alice muted bob until 20/],
  ["unmute", "/unmute bob", /\* alice lets speak again: \S+$/m],
  ["members", "members", /^alice#[0-9a-f]{8} \(founder, here\)$/m],
  ["ban", "/ban bob", "* alice banned bob"],
  ["unban", "/unban bob", /\* alice lifted the ban of \S+$/m],
  ["remove", "/remove alice", /FAILED: Cannot remove/],
  ["send_message", "send_message Cool Group one line", "SUCCESS"],
  ["get_messages", "get_messages Cool Group 1h", /^\[Cool Group\] \[.*\] alice: one line$/m],
  ["unsend", "/unsend", "* nothing waits to be sent"],
  ["flush", "/flush", /^\* nothing waits to be sent\nSUCCESS$/m],
  ["switch", 'switch "cool group"', "* plain text goes to Cool Group now"],
  ["unsend", "/unsend", "* nothing waits to be sent"],
  ["flush", "/flush", /^\* nothing waits to be sent\nSUCCESS$/m],
  ["rename", "/rename Alicia", "SUCCESS"],
  ["fingerprint", "fingerprint Cool Group", /^\d+ [\w-]{43}$/m],
  ["whoami", "whoami", /^Alicia#[0-9a-f]{8} [0-9a-f-]{36}$/m],
  ["trust", "/trust Cool Group", /the group "Cool Group" is the one you know, its key is/],
  ["help", "help program", /^ *\/exit +leave the program/m],
  ["leave_group", "leave_group Cool Group", "SUCCESS"],
  ["status", "/status", /^ {2}My Room +\S+ \(short key \S+\), 0 connected$/m],
  ["stop", "/stop Cool Group", 'FAILED: Cannot stop "Cool Group": it is not served here'],
  ["menu", "menu", MENU],
  ["menu", "", /^My Room> *$/m],
];

test("prompt: every command does what it says", { skip }, () =>
  closing(async (keep) => {
    const world = await PromptWorld.start(keep);
    await world.group("Cool Group");
    const alice = await world.person("alice");
    const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
    for (const [command, typed, shows] of SEEN) {
      await alice.enter(typed, shows);
      if (command !== "create_group") continue;
      await bob.join("My Room");
      await alice.shows("* bob joined");
    }
    await alice.enter("hi there", /^\[\d\d:\d\d:\d\d\] Alicia: hi there$/m);
    await alice.enter("create Hidden --private", "* it is private: /invite makes a link");
    await alice.shows("Hidden>");
    await assert.rejects(bob.join("Hidden"), { code: "forbidden" });
    await alice.enter("/invite", /^zgroup:\S+\/Hidden\/\S+$/m);
    await alice.enter(
      "/create Other --privat",
      /^FAILED: Cannot use --privat there: expected --private/m,
    );
    await alice.enter("/stop Hidden", "* Hidden is served no more");
    await bob.join("My Room"); // After the ban, which cut its connection.
    await alice.enter("exit", /1 other is in My Room here, on[^]*to the prompt/);
    alice.type("e");
    assert.equal(await alice.end(), 0);
    assert.deepEqual(alice.screen.strange, []);
    const tried = new Set(SEEN.map(([command]) => command)).add("exit");
    assert.deepEqual(
      PROMPT_COMMANDS.map(({ names }) => names[0]).filter((one) => !tried.has(one)),
      [],
    );
  }));
