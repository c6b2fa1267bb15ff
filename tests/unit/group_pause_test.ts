/** A group that leaves its log as it is, while others take it over. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLog } from "../../lib/log/memory.ts";
import { groupOn, named } from "../support/group.ts";
import { midAt } from "./fixtures.ts";

const ALICE = named("a");

test("group: nothing changes its log while it is paused, and who waits is answered afterwards", async () => {
  const log = memoryLog();
  await using lab = await groupOn(log, { keep: { entries: 1 } });
  await lab.ask("join", ALICE);
  const resume = await lab.group.pause();
  const head = async () => (await log.read({ limit: 1e6, last: true })).at(-1)!.first;
  const [before, tail] = [await head(), log.tail];
  const sent = lab.ask("send", ALICE, { messages: [[midAt(1), "hello"]] }).catch(String);
  await lab.group.prune();
  assert.equal(await head(), before);
  assert.equal(log.tail, tail);
  await resume();
  await sent;
  assert.equal(await head(), before + 1);
  await lab.group.prune();
  assert.ok(log.tail > tail);
});

test("group: what waits longer than a moment is put off, to be asked again", async () => {
  await using lab = await groupOn(memoryLog());
  const resume = await lab.group.pause();
  await assert.rejects(lab.ask("join", ALICE), { name: "Refusal", code: "busy" });
  await resume();
  await lab.ask("join", ALICE);
});

test("group: one that is closed does not go on", async () => {
  const broken: unknown[] = [];
  const lab = await groupOn(memoryLog(), { broken: (error) => broken.push(error) });
  const resume = await lab.group.pause();
  await lab[Symbol.asyncDispose]();
  await resume();
  assert.deepEqual(broken, []);
  await assert.rejects(lab.ask("join", ALICE), { code: "busy" });
});
