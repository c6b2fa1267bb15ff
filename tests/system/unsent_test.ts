/** What a group that does not answer cannot get: kept, tried again, taken back, and never doubled. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import {
  Closed,
  connect,
  type GroupEntry,
  Refusal,
  Registry,
  Unreachable,
  UsageError,
  type User,
} from "../../mod.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { Group } from "../support/inside.ts";
import { closing, until } from "../support.ts";
import { groupProcess, type Keep, member } from "./live_world.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { ours, Process } from "./processes.ts";
import { PromptWorld } from "./prompt_world.ts";
import { Folder } from "./world.ts";

/** A registry, and a group that can go away and come back where it was. */
async function world(keep: Keep) {
  const data = keep(new Folder()).path;
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  let address = "127.0.0.1:0";
  const start = async () => {
    const group = keep(await Group.start({ name: "Lab", data, address, registries }));
    address = group.address;
    return group;
  };
  return { registries, start, group: await start() };
}

const texts = async (user: User) =>
  (await Array.fromAsync(user.read("Lab"))).flatMap(({ text }) => text ?? []);

const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Refusal && error.code === code, String(error));
  assert.match(error.message, words);
  return true;
};

test("send: an id of one's own is there once, whoever tries again, and with one text", () =>
  closing(async (keep) => {
    const { registries } = await world(keep);
    const home = keep(new Folder()).path;
    const alice = keep(await member(registries, "alice", home));
    await alice.join("Lab");
    const other = keep(await member(registries, "alice", home));
    const mid = randomUUID();
    const [one, two] = await Promise.all([1, 2].map(() => alice.send("Lab", "hi", { mid })));
    assert.deepEqual([one, one.duplicate], [two, false], "asked twice at once, it is one message");
    const again = await other.send("Lab", "hi", { mid: mid.toUpperCase() });
    assert.deepEqual(again, { ...one, duplicate: true });
    const changed = refused("bad_request", /has another text already, entry \d+; take another id/);
    await assert.rejects(other.send("Lab", "ho", { mid }), changed);
    const own = midMaker()();
    assert.equal((await alice.send("Lab", "of version 7", { mid: own })).mid, own);
    const tomorrow = midMaker(undefined, () => Date.now() + 2 * 86_400_000)();
    for (
      const [bad, words] of [["nonsense", /expected a UUID/], [tomorrow, /a day ahead/]] as const
    ) {
      await assert.rejects(alice.send("Lab", "no", { mid: bad }), (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, words);
        return true;
      });
    }
    await alice.send("Lab", "last");
    assert.deepEqual(await texts(alice), ["hi", "of version 7", "last"]);
  }));

test("send: several programs of one folder wait for a group, and none is told that it failed", () =>
  closing(async (keep) => {
    const { registries, start, group } = await world(keep);
    const home = keep(new Folder()).path;
    const user = async () => keep(await member(registries, "alice", home));
    const [first, ...others] = await Promise.all(Array.from({ length: 5 }, user));
    await first.join("Lab");
    await group.close();
    // Each has those before it in hand, too.
    const sent = await Promise.all(others.map(async (_, i) => {
      const one = await user();
      return { one, receipt: one.send("Lab", `C ${i}`, { within: Infinity }) };
    }));
    await until(() => first.unsent().length === 4, 5_000, "all to be kept");
    const later = await user();
    const flushed = later.flush("Lab", { within: 30_000 });
    const back = sent[0].one.unsent().find(({ text }) => text === "C 3")!;
    const gone = sent[3].receipt.then(() => "sent", (error) => error);
    later.unsend("Lab", back.mid);
    await start();
    const receipts = await Promise.all(sent.slice(0, 3).map(({ receipt }) => receipt));
    assert.ok(await gone instanceof Closed, "what was taken back is not sent");
    assert.match(String(await gone), /another program of this folder has taken it back/);
    assert.deepEqual((await flushed).map(({ waiting, reason }) => [waiting, reason]), [
      [0, undefined],
    ]);
    assert.equal(new Set(receipts.map(({ seq }) => seq)).size, 3);
    assert.deepEqual((await texts(first)).sort(), ["C 0", "C 1", "C 2"]);
  }));

test("send: with ids of one's own what waits goes out in the order of the calls", () =>
  closing(async (keep) => {
    const { registries, start, group } = await world(keep);
    const home = keep(new Folder()).path;
    const alice = await member(registries, "alice", home);
    await alice.join("Lab");
    await group.close();
    const said = Array.from({ length: 12 }, (_, i) => `N ${i}`);
    for (const text of said) {
      await assert.rejects(alice.send("Lab", text, { mid: randomUUID(), within: 0 }), Unreachable);
    }
    const waits = alice.unsent("Lab");
    assert.deepEqual(waits.map(({ text }) => text), said);
    assert.ok(waits.every(({ at }) => Math.abs(at! - Date.now()) < 60_000));
    await alice.close();
    await start();
    const later = keep(await member(registries, "alice", home));
    await later.flush("Lab", { within: 20_000 });
    assert.deepEqual(await texts(later), said);
  }));

test("what is of another type than it should be is a usage error, in a sentence", async () => {
  const usage = (words: RegExp) => (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, words);
    return true;
  };
  await assert.rejects(
    connect({ registries: "127.0.0.1:6201" as never }),
    usage(/^Cannot connect: registries is "127\.0\.0\.1:6201", expected a list of texts$/),
  );
  await closing(async (keep) => {
    const user = keep(await connect({ registries: [] }));
    await assert.rejects(
      user.join(7 as never),
      usage(/^Cannot join: target is 7, expected a text$/),
    );
    await assert.rejects(
      user.send("Lab", undefined as never),
      usage(/^Cannot send: text is undefined, expected a text$/),
    );
    await assert.rejects(
      user.send("Lab", "hi", { within: "5s" as never }),
      usage(/within is "5s", expected a number of at least 0/),
    );
    await assert.rejects(user.send(undefined as never, "hi"), usage(/target is undefined/));
    for (
      const read of [
        user.read("Lab", { limit: "x" as never }),
        user.kept("Lab", { last: 1 as never }),
      ]
    ) {
      await assert.rejects(read.next(), usage(/^Cannot read: (limit is "x"|last is 1), expected/));
    }
  });
});

test("unsend: what was never asked is taken back for good, what may be there is said to be", () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const data = keep(new Folder()).path;
    const group = await groupProcess(keep, data, registry.address);
    const home = keep(new Folder()).path;
    const alice = keep(await member([registry.address], "alice", home));
    await alice.join("Lab");
    await alice.send("Lab", "there");
    group.signal("SIGSTOP");
    const lost = alice.send("Lab", "perhaps", { within: Infinity });
    lost.catch(() => {}); // Looked at below.
    await until(() => alice.unsent("Lab").length === 1, 5_000, "the message in the outbox");
    const [waits] = alice.unsent();
    assert.deepEqual([waits.group, waits.text, waits.tried], ["Lab", "perhaps", true]);
    assert.ok(Math.abs(waits.at! - Date.now()) < 60_000);
    assert.equal(alice.unsend("Lab", waits.mid).tried, true);
    await assert.rejects(lost, Closed);
    assert.deepEqual(alice.unsent(), []);
    assert.throws(
      () => alice.unsend("Lab", waits.mid),
      refused("not_found", /none of that id waits/),
    );

    group.signal("SIGKILL");
    await group.ended;
    const later = keep(await member([registry.address], "alice", home));
    await assert.rejects(later.send("Lab", "never", { within: 100 }), Unreachable);
    await assert.rejects(later.send("Lab", "later", { within: 100 }), Unreachable);
    const both = alice.unsent("Lab");
    assert.deepEqual(both.map(({ text, tried }) => [text, tried]), [
      ["never", false],
      ["later", false],
    ]);
    // Another program than the one that has it in hand.
    alice.unsend("Lab", both[0].mid);
    await groupProcess(keep, data, registry.address);
    await until(() => later.unsent().length === 0, 20_000, "what is left to go out");
    const sent = await texts(alice);
    assert.ok(!sent.includes("never"), sent.join());
    assert.equal(sent.at(-1), "later");
  }));

test("leave: a group that does not answer is left at once, and told when it is back", () =>
  closing(async (keep) => {
    const { registries, start, group } = await world(keep);
    const home = keep(new Folder()).path;
    const watch = keep(await member(registries, "watch"));
    await watch.join("Lab");
    const alice = await member(registries, "alice", home);
    await alice.join("Lab");
    await group.close();
    await assert.rejects(alice.send("Lab", "unheard", { within: 100 }), Unreachable);
    const followed = Array.fromAsync(alice.follow("Lab", { from: "cursor" }));
    assert.deepEqual(await alice.leave("Lab"), { told: false, unsent: 1 });
    assert.ok((await followed).length === 0, "who follows is done");
    assert.deepEqual(alice.joined(), []);
    assert.deepEqual(alice.unsent("Lab").map(({ text }) => text), ["unheard"]);
    await alice.close();

    await start();
    const later = keep(await member(registries, "alice", home));
    const members = async () => (await watch.members("Lab")).map(({ name }) => name).sort().join();
    const left: GroupEntry[] = [];
    for await (const entry of watch.follow("Lab", { from: "start" })) {
      if (entry.kind === "leave") left.push(entry);
      if (left.length > 0) break;
    }
    assert.equal(left[0].name, "alice");
    assert.equal(await members(), "watch");
    assert.deepEqual(later.joined(), []);
    await later.join("Lab");
    const waiting = () => later.unsent().length;
    await until(() => waiting() === 0, 5_000, "what waited goes out when it is joined again");
  }));

test("leave: joining again takes back what the group was not told", () =>
  closing(async (keep) => {
    const { registries, start, group } = await world(keep);
    const alice = keep(await member(registries, "alice", keep(new Folder()).path));
    await alice.join("Lab");
    await group.close();
    assert.deepEqual(await alice.leave("Lab"), { told: false, unsent: 0 });
    const joining = alice.join("Lab");
    await start();
    const { role } = await joining.catch(() => alice.join("Lab"));
    assert.equal(role, "member");
    await alice.send("Lab", "still here");
    const entries = await Array.fromAsync(alice.read("Lab"));
    assert.deepEqual(entries.map(({ kind }) => kind), ["founded", "join", "message"]);
  }));

test("one command and out: a group that is away is told truly, flush sends, nothing doubles", () =>
  closing(async (keep) => {
    const { registries, start, group } = await world(keep);
    const home = keep(new Folder()).path;
    const run = async (code: number, ...words: string[]) => {
      const where = ["--home", home, "--registry", registries[0]];
      const program = keep(new Process(ours("user.ts", ...words, ...where)));
      assert.equal((await program.end(20_000)).code, code, `${words.join(" ")}: ${program.output}`);
      return program.output;
    };
    await run(0, "join", "Lab", "--name", "alice");
    await group.close();
    const id = randomUUID();
    const kept =
      /the message is kept in the outbox of this folder and goes out with the next command that opens it: (user\.ts|zgroup user) flush, or the prompt/;
    const [first, second] = await Promise.all([
      run(1, "send", "Lab", "hi", "--id", id),
      run(1, "send", "Lab", "there", "--wait", "1s"),
    ]);
    assert.match(first, kept);
    assert.match(first, /\(--wait waits here\)/);
    assert.match(second, /no answer within 1 s/);
    assert.doesNotMatch(second, /--wait/);
    for (const time of [["--wait", "3"], ["--wait", "10x"], ["--wait=3"]]) {
      assert.match(await run(2, "send", "Lab", "no", ...time), /like --wait 3s or --wait=10m/);
    }
    assert.match(await run(1, "send", "Lab", "hi", "--id", id, "--wait=1s"), kept);
    assert.match(await run(1, "flush", "--wait=1s"), /Lab: 0 messages sent, 2 still waiting/);
    const listed = await run(0, "unsend");
    const [, number] = /^([12])\. Lab \[[-\d: ]+\] there$/m.exec(listed)!; // Both were sent at once.
    assert.match(listed, /^[12]\. Lab \[[-\d: ]+\] hi$/m);
    assert.match(await run(0, "unsend", "Lab", number), /not sent: there/);
    const waiting = run(0, "send", "Lab", "waits", "--wait");
    await start();
    await waiting;
    const flushed = await run(0, "flush");
    assert.match(flushed, /nothing waits to be sent|Lab: 1 message sent/);
    const { duplicate } = JSON.parse(await run(0, "send", "Lab", "hi", "--id", id, "--json"));
    assert.equal(duplicate, true);
    assert.match(await run(1, "send", "Lab", "ho", "--id", id), /has another text already/);
    const read = await run(0, "read", "Lab", "--json");
    const said = read.trim().split("\n").map((line) => JSON.parse(line).text).filter(Boolean);
    assert.deepEqual(said, ["hi", "waits"]);
  }));

test(
  "prompt: what waits for a group that is away is shown and dropped, and the group left",
  { skip: NO_TERMINAL },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const other = await world.group("Other");
      const alice = await world.member("alice");
      await alice.enter("join_group Other", "SUCCESS");
      await alice.line("Other>");
      await alice.enter("hello", "alice: hello");
      await other.close();
      await alice.enter("one", "… Other: one");
      await alice.enter("two", "… Other: two");
      await alice.enter("/unsend", /^2\. Other .* two/m);
      await alice.enter("/unsend 1", "* not sent: one");
      await alice.enter("/leave Other", "* 1 message for Other not sent; unsend shows and drops");
      await alice.line("Lab>");
      await alice.enter("/unsend", /^1\. Other .* two/m);
      await alice.enter("/unsend Other all", "* not sent: two");
      await alice.enter("/unsend", "* nothing waits to be sent");
    }),
);
