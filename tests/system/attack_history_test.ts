/** Groups that show one member another history than the log holds, or put the log back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Alarm, connect, LogDamaged, type User } from "../../mod.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { closing, until } from "../support.ts";
import { EPOCH, type History, signedBy } from "../support/history.ts";
import { type Keep, row } from "./attack_world.ts";
import { Ear } from "./live_world.ts";
import { LyingGroup } from "./lying_group.ts";
import { Folder } from "./world.ts";

const SOON = 20_000;

/** A member with a folder, and what it is told. */
class Member implements AsyncDisposable {
  readonly alarms: Alarm[] = [];
  readonly user: User;
  readonly ear: Ear;

  private constructor(user: User) {
    this.user = user;
    user.on((event) => {
      if (event.type === "alarm") this.alarms.push(event);
    });
    this.ear = new Ear(user, "Evil");
  }

  static async open(group: LyingGroup, name: string, home: string): Promise<Member> {
    const user = await connect({ name, home, registries: [] });
    if (user.joined().length === 0) await user.join(group.address);
    return new Member(user);
  }

  /** What was shown: texts, those that are not verified with a `!`. */
  get shown(): string {
    return this.ear.heard.map(({ text, signature }) => text + (signature === "valid" ? "" : "!"))
      .join(" ");
  }

  get told(): string {
    return this.alarms.map(({ why, seq }) => `${why} ${seq}`).join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ear.stop();
    await this.user.close();
  }
}

const mid = midMaker();
const founder = newSigningKey();

/** A message of the founder, who signed it for this group. */
function says(group: LyingGroup, text: string, id = mid()) {
  return signedBy(founder, group.id, [[id, text]] satisfies Message[]);
}

/** A group whose log holds messages of these texts. */
async function lying(keep: Keep, ...texts: string[]): Promise<LyingGroup> {
  const group = keep(await LyingGroup.start());
  for (const text of texts) group.log.add(1, says(group, text));
  return group;
}

/** The same history up to a batch, and then others. */
function another(group: LyingGroup, from: number, ...texts: string[]): History {
  const log = group.log.until(from);
  for (const text of texts) log.add(1, says(group, text));
  return log;
}

test("attack: a member who is shown another text live than the log holds is told, and shown the log's", async () => {
  await closing(async (keep) => {
    const group = await lying(keep, "yes", "no");
    const homes = { alice: keep(new Folder()).path, bob: keep(new Folder()).path };
    // Both have seen the first two in an earlier program: the replay is no recent message.
    for (const [name, home] of Object.entries(homes)) {
      await using one = await Member.open(group, name, home);
      await one.ear.hears("no");
    }
    const reads = group.asked.get("read")!;
    const alice = keep(await Member.open(group, "alice", homes.alice));
    const bob = keep(await Member.open(group, "bob", homes.bob));
    await until(() => group.asked.get("read") === reads + 2, SOON, "both follow");
    const lie = group.log.until(2);
    const { author, key, sig, messages } = group.log.batches[0];
    lie.add(1, { author, key, sig, messages });
    group.log.add(1, says(group, "never"));
    group.tell([lie.batches[2]], "alice");
    group.tell([group.log.batches[2]], "bob");
    await alice.ear.hears("yes");
    await bob.ear.hears("never");
    // What each can compute of the log is the same: whoever compares with what it followed sees it.
    assert.equal((await bob.user.fingerprint("Evil")).hash, group.log.hash);
    await assert.rejects(
      alice.user.fingerprint("Evil"),
      (error) => error instanceof LogDamaged && error.seq === 3,
    );
    group.tell([group.log.add(1, says(group, "next"))]);
    await alice.ear.hears("next");
    row("a text shown to one member alone", { shown: alice.shown, told: alice.told });
    assert.equal(alice.shown, "yes never next");
    assert.equal(alice.told, "corrected 3");
    assert.deepEqual([bob.shown, bob.told], ["never next", ""]);
    assert.deepEqual(await alice.user.fingerprint("Evil"), await bob.user.fingerprint("Evil"));
  });
});

test("attack: what is shown live alone is told by the next sign of life, without another message", async () => {
  await closing(async (keep) => {
    const group = await lying(keep, "one");
    const alice = keep(await Member.open(group, "alice", keep(new Folder()).path));
    await until(() => group.listening.length === 1, SOON, "alice follows");
    await alice.ear.hears("one");
    const lie = another(group, 1, "lie");
    group.tell([lie.batches[1]]);
    await alice.ear.hears("lie");
    group.log.add(1, says(group, "true"));
    await alice.user.check(); // as the prompt does
    await alice.ear.hears("true");
    assert.deepEqual([alice.shown, alice.told], ["one lie true", "corrected 2"]);
  });
});

test("attack: a message that is replayed counts as forged, live and from the log", async () => {
  await closing(async (keep) => {
    const group = await lying(keep);
    const [yes, other] = [mid(), mid()];
    group.log.add(1, says(group, "yes", yes));
    group.log.add(1, says(group, "no", other));
    group.log.add(1, says(group, "yes", yes));
    const alice = keep(await Member.open(group, "alice", keep(new Folder()).path));
    await until(() => alice.ear.heard.length === 3, SOON, "the log");
    group.tell([group.log.add(1, says(group, "no", other))]);
    await until(() => alice.ear.heard.length === 4, SOON, "the replay");
    assert.deepEqual([alice.shown, alice.told], ["yes no yes! no!", ""]);
    await assert.rejects(alice.user.fingerprint("Evil"), { name: "LogDamaged", seq: 3 });
  });
});

test("attack: a history that was changed while a member was away is told, and counts as not verified", async () => {
  await closing(async (keep) => {
    const group = await lying(keep, "one", "two");
    const home = keep(new Folder()).path;
    {
      await using alice = await Member.open(group, "alice", home);
      await alice.ear.hears("two");
    }
    group.log = another(group, 1, "2", "three");
    for (let times = 0; times < 2; times++) {
      await using alice = await Member.open(group, "alice", home);
      await until(() => alice.alarms.length > 0, SOON, "it is told at each start");
      if (times === 0) await alice.ear.hears("three");
      assert.deepEqual(
        [alice.shown, alice.told],
        times ? ["", "forked 3"] : ["three!", "forked 3"],
      );
      await assert.rejects(alice.user.fingerprint("Evil"), { name: "LogDamaged", seq: 2 });
      if (times === 0) continue;
      // The way out that the sentence names.
      assert.match(alice.alarms[0].text, /leave.*join/);
      await alice.user.leave("Evil");
      await alice.user.join(group.address);
      const ear = keep(new Ear(alice.user, "Evil"));
      await ear.hears("three");
      assert.deepEqual(ear.texts, ["one", "2", "three"]);
      assert.ok(ear.heard.every(({ signature }) => signature === "valid"));
      await alice.user.fingerprint("Evil");
    }
  });
});

test("attack: a changed history of the same length is told at once, also by its hash alone", async () => {
  await closing(async (keep) => {
    const group = await lying(keep, "one", "two");
    const alice = keep(await Member.open(group, "alice", keep(new Folder()).path));
    await alice.ear.hears("two");
    await until(() => group.listening.length === 1, SOON, "alice follows");
    group.log = another(group, 1, "2");
    group.cut();
    await until(() => alice.told === "forked 2", SOON, "the restart of another log");
    group.tell([group.log.add(1, says(group, "three"))]);
    await alice.ear.hears("three");
    assert.equal(alice.shown, "one two three!");

    const other = await lying(keep, "one", "two");
    const bob = keep(await Member.open(other, "bob", keep(new Folder()).path));
    await bob.ear.hears("two");
    other.hash = "E".repeat(43);
    await bob.user.check();
    await until(() => bob.told === "forked 2", SOON, "another hash");
  });
});

test("attack: a log that was put back in its epoch is told with the way out, and not waited for", async () => {
  await closing(async (keep) => {
    const group = await lying(keep, "one", "two", "three", "four");
    const home = keep(new Folder()).path;
    const away = keep(new Folder()).path;
    {
      await using bob = await Member.open(group, "bob", away);
      await bob.ear.hears("four");
    }
    const alice = keep(await Member.open(group, "alice", home));
    await alice.ear.hears("four");
    await until(() => group.listening.length === 1, SOON, "alice follows");
    group.log = group.log.until(2);
    group.beat();
    group.beat();
    await until(() => alice.told === "rolled_back 4", SOON, "the live feed");
    assert.match(alice.alarms[0].text, /^Evil is at 2, but you have seen 4: .*`restore`.*`leave`/);
    const bob = keep(await Member.open(group, "bob", away));
    await until(() => bob.told === "rolled_back 4", SOON, "the cursor on disk");
    await assert.rejects(alice.user.fingerprint("Evil"), { name: "LogDamaged", seq: 3 });
    group.tell([group.log.add(1, says(group, "3"))]);
    await alice.ear.hears("3");
    await bob.ear.hears("3");
    assert.deepEqual([alice.shown, bob.shown], ["one two three four 3!", "3!"]);
    assert.equal(alice.told, "rolled_back 4");
  });
});

test("attack: a group that drops without saying so, or says more than it has, is asked seldom", async () => {
  await closing(async (keep) => {
    const group = await lying(keep, "one", "two", "three");
    group.dropped = 2;
    const alice = keep(await Member.open(group, "alice", keep(new Folder()).path));
    await until(() => (group.asked.get("read") ?? 0) >= 3, SOON, "alice looks");
    // It says so late, as one that is just dropping.
    group.tail = 3;
    await alice.ear.hears("three");
    assert.deepEqual([alice.shown, alice.told], ["three", ""]);
    const { from, seq } = await alice.user.fingerprint("Evil");
    assert.deepEqual([from, seq], [3, 3]);
    // Heads that it does not have.
    const before = group.asked.get("read")!;
    const began = performance.now();
    group.head = 1_000;
    for (let i = 0; i < 200; i++) group.beat(1_000 + i);
    await until(() => group.asked.get("read")! >= before + 3, SOON, "alice looks again");
    const reads = group.asked.get("read")! - before;
    const most = 3 + (performance.now() - began) / 125;
    assert.ok(reads <= most, `${reads} reads in ${performance.now() - began} ms`);
    group.log.add(1, says(group, "four"));
    await alice.ear.hears("four");
  });
});

test("attack: a page that does not go on in itself is told, and not verified from there on", async () => {
  await closing(async (keep) => {
    const group = await lying(keep, "one", "two", "three", "four");
    group.log.batches[2] = { ...group.log.batches[2], at: 2 };
    const user = keep(await connect({ name: "alice", registries: [] }));
    const alarms: string[] = [];
    user.on((event) => {
      if (event.type === "alarm") alarms.push(`${event.why} ${event.seq}`);
    });
    await user.join(group.address);
    for (const range of [{}, { last: true, limit: 3 }, { after: 2 }]) {
      const shown: string[] = [];
      for await (const { seq, signature, epoch } of user.read("Evil", range)) {
        shown.push(seq + (signature === "valid" ? "" : "!"));
        assert.equal(epoch, EPOCH);
      }
      const wanted = { 4: "1 2 3! 4!", 3: "2 3! 4!", 2: "3 4" }[shown.length];
      assert.equal(shown.join(" "), wanted);
    }
    assert.deepEqual(alarms, ["forked 3"]);
  });
});
