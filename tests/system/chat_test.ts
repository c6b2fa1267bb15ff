import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  connect,
  type Entry,
  Group,
  type GroupServer,
  Refusal,
  Registry,
  type RegistryServer,
  type User,
} from "../../mod.ts";
import { DEFAULT_RATES } from "../../lib/group/limits.ts";
import { groupId, newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { closing, until } from "../support.ts";
import { RawMember, RawSession } from "./raw_session.ts";
import { bare, ENGINES, type Engines, Folder, over, portOf } from "./world.ts";

const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

/** Texts of the messages a read gives. */
async function texts(entries: AsyncIterable<Entry>): Promise<(string | undefined)[]> {
  const all = await Array.fromAsync(entries);
  return all.filter(({ kind }) => kind === "message").map(({ text }) => text);
}

async function seqs(entries: AsyncIterable<Entry>): Promise<number[]> {
  return (await Array.fromAsync(entries)).map(({ seq }) => seq);
}

type Keep = <T extends AsyncDisposable>(one: T) => T;

/** A registry, and what starts groups and users that know it. */
async function world(
  keep: Keep,
  { home, engines: { servers, users } = ENGINES[0] }: { home?: string; engines?: Engines } = {},
) {
  const registry: RegistryServer = keep(
    await Registry.start({ port: 0, transport: servers, ...(home ? { home } : {}) }),
  );
  const registries = [registry.address];
  const group = async (name: string, options: object = {}): Promise<GroupServer> =>
    keep(await Group.start({ name, registries, transport: servers, ...options }));
  const user = async (name: string): Promise<User> =>
    keep(await connect({ name, registries, transport: users }));
  /** A user who has joined the group of a name. */
  const member = async (name: string, group = "Lab"): Promise<User> => {
    const one = await user(name);
    await one.join(group);
    return one;
  };
  return { registry, group, user, member };
}

for (const engines of ENGINES) {
  test(`a chat: list, join, send, read, members, leave${over(engines)}`, () =>
    closing(async (keep) => {
      const { group, user } = await world(keep, { engines });
      const lab = await group("Lab");
      const alice = await user("alice");
      const bob = await user("bob");

      const [listing] = await alice.list();
      assert.deepEqual([listing.name, listing.address, listing.state], [
        "Lab",
        lab.address,
        "live",
      ]);

      const joined = await alice.join("Lab");
      assert.deepEqual([joined.name, joined.role], ["Lab", "member"]);
      await bob.join(lab.address);
      assert.deepEqual((await alice.members("Lab")).map(({ name }) => name).sort(), [
        "alice",
        "bob",
      ]);

      const first = await alice.send("Lab", "hi");
      const second = await bob.send("Lab", "hello\nyou");
      assert.equal(second.seq, first.seq + 1);
      assert.ok(second.at >= first.at);
      const entries = await Array.fromAsync(bob.read("Lab"));
      assert.deepEqual(entries.map(({ kind, name }) => [kind, name]), [
        ["founded", "Lab"],
        ["join", "alice"],
        ["join", "bob"],
        ["message", "alice"],
        ["message", "bob"],
      ]);
      assert.deepEqual(entries.slice(-2).map(({ text, signature }) => [text, signature]), [
        ["hi", "valid"],
        ["hello\nyou", "valid"],
      ]);

      await bob.leave("Lab");
      assert.deepEqual((await alice.members("Lab")).map(({ name }) => name), ["alice"]);
      await assert.rejects(bob.send("Lab", "again"), refused("not_member"));
    }));
}

test("a chat: a read takes after, before, since, until, limit and last", () =>
  closing(async (keep) => {
    const { group, member } = await world(keep);
    await group("Lab");
    const alice = await member("alice");
    const receipts = await Promise.all(
      Array.from({ length: 10 }, (_, i) => alice.send("Lab", `t${i}`)),
    );
    const { seq, at } = receipts[0];
    const read = (options: object) => seqs(alice.read("Lab", options));
    assert.deepEqual(receipts.map((receipt) => receipt.seq - seq), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(await read({ after: seq + 7 }), [seq + 8, seq + 9]);
    assert.deepEqual(await read({ after: seq, before: seq + 3 }), [seq + 1, seq + 2]);
    assert.deepEqual(await read({ after: seq, limit: 2 }), [seq + 1, seq + 2]);
    assert.deepEqual(await read({ limit: 2, last: true }), [seq + 8, seq + 9]);
    assert.deepEqual(await read({ before: seq + 5, limit: 2, last: true }), [seq + 3, seq + 4]);
    assert.deepEqual(await read({ after: seq - 1, since: at }), await read({ after: seq - 1 }));
    assert.deepEqual(await read({ since: receipts[9].at + 1 }), []);
    assert.deepEqual(await read({ until: at - 1, after: seq - 1 }), []);
  }));

test("a chat: two groups on one machine keep apart", () =>
  closing(async (keep) => {
    const { group, user } = await world(keep);
    await group("Lab");
    await group("Class");
    const alice = await user("alice");
    const bob = await user("bob");
    assert.deepEqual((await alice.list()).map(({ name }) => name), ["Class", "Lab"]);
    await alice.join("Lab");
    await alice.join("Class");
    await bob.join("Class");
    await alice.send("Lab", "to the lab");
    await alice.send("Class", "to the class");
    assert.deepEqual(await texts(alice.read("Lab")), ["to the lab"]);
    assert.deepEqual(await texts(bob.read("Class")), ["to the class"]);
    await assert.rejects(texts(bob.read("Lab")), refused("not_member"));
  }));

for (const engines of ENGINES) {
  test(`a chat: who follows hears everything once and in order, from the log and live${over(engines)}`, () =>
    closing(async (keep) => {
      const { group, user } = await world(keep, { engines });
      await group("Lab");
      const alice = await user("alice");
      const bob = await user("bob");
      await alice.join("Lab");
      await bob.join("Lab");
      const sending = (async () => {
        for (let i = 0; i < 200; i += 10) {
          await Promise.all(Array.from({ length: 10 }, (_, n) => alice.send("Lab", `t${i + n}`)));
        }
      })();
      const heard: (string | undefined)[] = [];
      for await (const { kind, text } of bob.follow("Lab", { after: 0 })) {
        if (kind === "message") heard.push(text);
        if (heard.length === 200) break;
      }
      await sending;
      assert.deepEqual(heard, Array.from({ length: 200 }, (_, i) => `t${i}`));
    }));
}

test("a group refuses those who are not members, with a code", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab");
    const raw = keep(await RawMember.proved(lab.address));
    for (const op of ["leave", "read", "members", "subscribe", "typing", "invite"]) {
      await assert.rejects(raw.ask(op), refused("not_member"), op);
    }
    await assert.rejects(raw.send([[midMaker()(), "hi"]]), refused("not_member"));
    await assert.rejects(raw.ask("act", { action: "topic" }), refused("forbidden"));
    await raw.ask("join");
    await raw.ask("leave");
    await assert.rejects(raw.ask("read"), refused("not_member"));
  }));

test("a group takes the same mid once, also after it was started again", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const { group } = await world(keep);
    const lab = await group("Lab", { data: path });
    const mid = midMaker();
    const list = Array.from({ length: 3 }, (_, i): Message => [mid(), `t${i}`]);
    const first = keep(await RawMember.proved(lab.address));
    await first.ask("join");
    const [run] = await first.send(list);
    assert.deepEqual([run.count, run.duplicate], [3, undefined]);
    const places = list.map((_, i) => ({
      from: run.from + i,
      count: 1,
      at: run.at,
      duplicate: true,
    }));
    assert.deepEqual(await first.send(list), places);
    assert.deepEqual(await first.send(list.slice(1, 2)), [places[1]]);
    await lab.close();

    const again = await group("Lab", { data: path });
    const second = keep(await RawMember.proved(again.address, first.key));
    const more: Message = [mid(), "t3"];
    const accepted = await second.send([...list, more]);
    assert.deepEqual(accepted.slice(0, 3), places);
    assert.deepEqual([accepted[3].from, accepted[3].duplicate], [run.from + 3, undefined]);
    const other = keep(await RawMember.proved(again.address));
    await other.ask("join");
    const [own] = await other.send(list);
    assert.equal(own.duplicate, undefined, "mids of another author are other messages");
  }));

test("a group takes nothing behind a request that it did not accept", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab");
    const raw = keep(await RawMember.proved(lab.address));
    const mid = midMaker();
    const [one, two, three, four] = ["1", "2", "3", "4"].map((text): Message => [mid(), text]);
    const outOfOrder = refused("out_of_order");
    await assert.rejects(raw.send([one]), refused("not_member"));
    await raw.ask("join");
    await assert.rejects(raw.send([two], one[0]), outOfOrder, "behind a refusal");
    await raw.send([one]);
    const [run] = await raw.send([two], one[0]);
    await assert.rejects(raw.send([four], three[0]), outOfOrder, "behind what never came");
    const again = keep(await RawMember.proved(lab.address, raw.key));
    const [same] = await again.send([two], one[0]);
    assert.deepEqual([same.from, same.duplicate], [run.from, true]);
    const [next] = await again.send([three], two[0]);
    assert.equal(next.from, run.from + 1, "on another connection");
    const [last] = await raw.send([four], two[0]);
    assert.equal(last.from, run.from + 2, "behind one that is not the last");
    const other = keep(await RawMember.proved(lab.address));
    await other.ask("join");
    await assert.rejects(other.send([[mid(), "5"]], four[0]), outOfOrder, "behind another's");
  }));

test("much that is sent at once keeps its order where the group makes it wait", () =>
  closing(async (keep) => {
    const { group, member } = await world(keep);
    await group("Lab");
    const alice = await member("alice");
    const count = DEFAULT_RATES.burst + DEFAULT_RATES.messages;
    const sent = Array.from({ length: count }, (_, i) => `${i}`.padEnd(7_000, "."));
    // At 500 a second two seconds; for ever where one that is delayed is not sent again.
    await Promise.all(sent.map((text) => alice.send("Lab", text, { within: 60_000 })));
    const read = await texts(alice.read("Lab"));
    assert.deepEqual(read.map((text) => Number.parseInt(text!)), sent.map((_, i) => i));
  }));

for (const engines of ENGINES) {
  test(`a group started again on its data keeps members, log and epoch${over(engines)}`, () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const { group, member } = await world(keep, { engines });
      const lab = await group("Lab", { data: path });
      const alice = await member("alice");
      await alice.send("Lab", "before");
      const before = await Array.fromAsync(alice.read("Lab"));
      await lab.close();

      await group("Lab", { data: path });
      const receipt = await alice.send("Lab", "after");
      assert.equal(receipt.seq, before.length + 1);
      const after = await Array.fromAsync(alice.read("Lab"));
      assert.deepEqual(after.slice(0, -1), before);
      assert.equal(after.at(-1)?.epoch, before[0].epoch);
      assert.deepEqual((await alice.members("Lab")).map(({ name }) => name), ["alice"]);
    }));
}

test("a group that is closed leaves the list at once", () =>
  closing(async (keep) => {
    const { group, user } = await world(keep);
    const lab = await group("Lab");
    const alice = await user("alice");
    assert.equal((await alice.list()).length, 1);
    await lab.close();
    assert.deepEqual(await alice.list(), []);
  }));

test("a registry lists a group where it registered last", () =>
  closing(async (keep) => {
    const { registry } = await world(keep);
    const key = newSigningKey();
    const nonce = "n".repeat(22);
    const asker = keep(await RawSession.open(bare(registry.address)));
    const now = Date.now();
    const register = (address: string, version: number) =>
      asker.ask("register", {
        record: signRecord({
          id: groupId(key.publicKey, "Lab", nonce),
          name: "Lab",
          access: "open",
          address,
          key: key.publicKey,
          nonce,
          version,
          expires: now + 60_000,
        }, key),
      });
    const addresses = async () => {
      const { groups } = await asker.ask("list");
      return (groups as { address: string }[]).map(({ address }) => address);
    };
    await register("127.0.0.1:1001", now);
    await register("127.0.0.1:1002", now + 1);
    assert.deepEqual(await addresses(), ["127.0.0.1:1002"]);
    await assert.rejects(register("127.0.0.1:1001", now), refused("stale_record"));
    assert.deepEqual(await addresses(), ["127.0.0.1:1002"]);
  }));

test("a registry gives a name to one key, also after it was started again", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const data = keep(new Folder()).path;
    const { registry, group } = await world(keep, { home });
    const lab = await group("Lab", { data });
    await assert.rejects(group("Lab"), refused("name_taken"));
    await lab.close();
    await assert.rejects(group("Lab"), refused("name_taken"));
    await registry.close();

    const registries = [keep(await Registry.start({ port: 0, home })).address];
    await assert.rejects(Group.start({ name: "Lab", registries }), refused("name_taken"));
    keep(await Group.start({ name: "Lab", registries, data }));
  }));

for (const engines of ENGINES) {
  test(`a registry that was away has its whole list again, and nobody stopped talking${over(engines)}`, () =>
    closing(async (keep) => {
      const home = keep(new Folder()).path;
      const { registry, group, member } = await world(keep, { engines, home });
      await group("Lab");
      await group("Class");
      const alice = await member("alice");
      await registry.close();
      await alice.send("Lab", "without a registry");

      const port = portOf(registry.address);
      keep(await Registry.start({ port, home, transport: engines.servers }));
      const names = async () => (await alice.list()).map(({ name }) => name).join();
      await until(async () => await names() === "Class,Lab", 5_000, "both groups renewed");
      await alice.send("Lab", "with one");
      assert.deepEqual(await texts(alice.read("Lab")), ["without a registry", "with one"]);
    }));
}

for (const kind of ["registry", "group"] as const) {
  test(`a ${kind} answers every bad request with a code, and by its id where it has one`, () =>
    closing(async (keep) => {
      const { registry, group } = await world(keep);
      const { address } = kind === "registry" ? registry : await group("Lab");
      const session = keep(await RawSession.open(bare(address)));
      const cases: [said: string | Uint8Array, id: number | null, code: string][] = [
        ["", null, "bad_request"],
        ["nonsense", null, "bad_request"],
        ["[]", null, "bad_request"],
        [new Uint8Array([0x7b, 0xff, 0x7d]), null, "bad_request"],
        ['{"op":"ping"}', null, "bad_request"],
        ['{"id":-1,"op":"ping"}', null, "bad_request"],
        ['{"id":1}', 1, "bad_request"],
        ['{"id":2,"op":"fly"}', 2, "unknown_op"],
        ['{"id":3,"op":"__proto__"}', 3, "unknown_op"],
        ['{"id":4,"op":"constructor"}', 4, "unknown_op"],
        [`{"id":5,"op":"${kind === "group" ? "prove" : "register"}"}`, 5, "bad_request"],
      ];
      for (const [said, id, code] of cases) {
        session.say(said);
        const { id: answered, error } = await session.reply();
        assert.ok(error instanceof Refusal);
        assert.deepEqual([answered, error.code], [id, code], String(said));
      }
      session.say('{"id":6,"op":"ping","unknown":[1]}');
      assert.deepEqual((await session.reply()).error, undefined);
    }));
}

test("a group answers a request before a proof with no_session, on every session anew", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab");
    const one = keep(await RawMember.proved(lab.address));
    await one.ask("join");
    const two = keep(await RawMember.open(lab.address, one.key));
    await assert.rejects(two.ask("read"), refused("no_session"));
    await one.ask("read");
    await one.session.shake();
    await assert.rejects(one.ask("read"), refused("no_session"));
    await one.prove();
    await one.ask("read");
  }));

test("a group believes nobody who cannot sign for the key it claims", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab");
    const alice = keep(await RawMember.open(lab.address));
    const thief = keep(await RawMember.open(lab.address, alice.key));
    await assert.rejects(thief.prove(newSigningKey()), refused("bad_proof"));
    await assert.rejects(thief.ask("read"), refused("no_session"));
    await alice.prove();
  }));

test("a proof is good for one connection alone", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab");
    const alice = keep(await RawMember.open(lab.address));
    const thief = keep(await RawMember.open(lab.address));
    await assert.rejects(thief.ask("prove", alice.proof()), refused("bad_proof"));
    await alice.prove();
  }));

test("a group of a home is kept in its folder, whatever its name", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    for (const name of ["..", ".", "a/b", "漢".repeat(64), "😀".repeat(64)]) {
      const { group, user } = await world(keep);
      const options = { home: join(home, "home") };
      const lab = await group(name, options);
      const alice = await user("alice");
      await alice.join(name);
      const { seq } = await alice.send(name, "hi");
      await lab.close();
      await group(name, options);
      assert.equal((await alice.send(name, "again")).seq, seq + 1);
    }
  }));
