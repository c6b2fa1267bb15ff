/** Where following begins, what it gives beside messages, and why it ends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Group, type GroupEntry, Refusal, Registry, UsageError, type User } from "../../mod.ts";
import { closing } from "../support.ts";
import { type Keep, member } from "./live_world.ts";
import { Folder } from "./world.ts";

/** A group, its founder, and another member. */
async function world(keep: Keep) {
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const home = keep(new Folder()).path;
  const founder = keep(await member(registries, "founder", home));
  keep(await Group.start({ name: "Lab", home, registries }));
  await founder.join("Lab");
  const bob = keep(await member(registries, "bob", keep(new Folder()).path));
  await bob.join("Lab");
  return { registries, founder, bob };
}

/** What stands for an entry, by its kind: each is narrowed. */
function told(entry: GroupEntry): string {
  switch (entry.kind) {
    case "message":
      return `${entry.name}: ${entry.text}`;
    case "join":
      return `${entry.name} joined as ${entry.body.role}`;
    case "rename":
      return `${entry.body.before} is ${entry.name}`;
    default:
      return `${entry.name} ${entry.kind}`;
  }
}

/** The next so many entries. */
async function take(entries: AsyncIterable<GroupEntry>, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const entry of entries) if (taken.push(told(entry)) === count) break;
  return taken;
}

test("follow: from now, from the start, from the cursor, and not from two places", () =>
  closing(async (keep) => {
    const { founder, bob } = await world(keep);
    const { seq } = await founder.send("Lab", "before");
    bob.seen("Lab", seq);
    const [now, other] = [bob.follow("Lab", { from: "now" }), bob.follow("Lab", { from: "now" })];
    const first = now.next();
    // Once this is followed, the group has been asked where its log ends.
    const begun = take(other, 1);
    let sent = 0;
    let heard = false;
    void first.finally(() => heard = true);
    while (!heard) await founder.send("Lab", `n${sent++}`);
    const { value } = await first;
    assert.match(told(value), /^founder: n\d+$/, "nothing that was there before");
    assert.match((await begun)[0], /^founder: n\d+$/);
    await now.return(undefined);
    const start = await take(bob.follow("Lab", { from: "start" }), 4);
    assert.deepEqual(start, [
      "Lab founded",
      "founder joined as founder",
      "bob joined as member",
      "founder: before",
    ]);
    assert.deepEqual(await take(bob.follow("Lab", { from: "cursor" }), 1), ["founder: n0"]);
    const twice = bob.follow("Lab", { from: "now", after: 3 });
    await assert.rejects(twice.next(), (error) => error instanceof UsageError);
  }));

/** Why following ended. */
async function whyEnded(user: User): Promise<string | undefined> {
  try {
    for await (const _ of user.follow("Lab", { from: "start" }));
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
    return error.code;
  }
}

test("follow: ends with the true reason, also for who was away when it happened", () =>
  closing(async (keep) => {
    const { registries, founder, bob } = await world(keep);
    const home = keep(new Folder()).path;
    const away = await member(registries, "carol", home);
    await away.join("Lab");
    await away.close();

    const removed = whyEnded(bob);
    await founder.act("Lab", { action: "remove", user: "bob" });
    assert.equal(await removed, "not_member");
    await bob.join("Lab");
    const banned = whyEnded(bob);
    await founder.act("Lab", { action: "ban", user: "bob" });
    assert.equal(await banned, "banned");
    assert.deepEqual(bob.joined(), []);
    await assert.rejects(bob.join("Lab"), (error) => (error as Refusal).code === "banned");

    await founder.act("Lab", { action: "ban", user: "carol" });
    const back = keep(await member(registries, "carol", home));
    assert.equal(await whyEnded(back), "banned");
    const dave = keep(await member(registries, "dave"));
    await dave.join("Lab");
    const closed = whyEnded(dave);
    await dave.close();
    assert.equal(await closed, undefined, "its own closing is no error");
  }));
