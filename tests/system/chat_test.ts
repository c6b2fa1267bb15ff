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
import { groupId, newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { Requester } from "../../lib/transport/requester.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { closing, until } from "../support.ts";
import { Folder, RawMember, RawPeer } from "./world.ts";

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
async function world(keep: Keep, home?: string) {
  const registry: RegistryServer = keep(
    await Registry.start({ port: 0, ...(home ? { home } : {}) }),
  );
  const registries = [registry.address];
  return {
    registry,
    group: async (name: string, options: object = {}): Promise<GroupServer> =>
      keep(await Group.start({ name, registries, ...options })),
    user: async (name: string): Promise<User> => keep(await connect({ name, registries })),
  };
}

test("a chat: list, join, send, read, members, leave", () =>
  closing(async (keep) => {
    const { group, user } = await world(keep);
    const lab = await group("Lab");
    const alice = await user("alice");
    const bob = await user("bob");

    const [listing] = await alice.list();
    assert.deepEqual([listing.name, listing.address, listing.state], ["Lab", lab.address, "live"]);

    const joined = await alice.join("Lab");
    assert.deepEqual([joined.name, joined.role], ["Lab", "member"]);
    await bob.join(lab.address);
    assert.deepEqual((await alice.members("Lab")).map(({ name }) => name).sort(), ["alice", "bob"]);

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

test("a chat: a read takes after, before, since, until, limit and last", () =>
  closing(async (keep) => {
    const { group, user } = await world(keep);
    await group("Lab");
    const alice = await user("alice");
    await alice.join("Lab");
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

test("a chat: who follows hears everything once and in order, from the log and live", () =>
  closing(async (keep) => {
    const { group, user } = await world(keep);
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

test("a group refuses those who are not members, with a code", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab", { plain: true });
    const raw = keep(new RawMember(lab.address));
    await raw.prove();
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
    const lab = await group("Lab", { plain: true, data: path });
    const mid = midMaker();
    const list = Array.from({ length: 3 }, (_, i): Message => [mid(), `t${i}`]);
    const first = keep(new RawMember(lab.address));
    await first.prove();
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

    const again = await group("Lab", { plain: true, data: path });
    const second = keep(new RawMember(again.address, first.key));
    await second.prove();
    const more: Message = [mid(), "t3"];
    const accepted = await second.send([...list, more]);
    assert.deepEqual(accepted.slice(0, 3), places);
    assert.deepEqual([accepted[3].from, accepted[3].duplicate], [run.from + 3, undefined]);
    const other = keep(new RawMember(again.address));
    await other.prove();
    await other.ask("join");
    const [own] = await other.send(list);
    assert.equal(own.duplicate, undefined, "mids of another author are other messages");
  }));

test("a group started again on its data keeps members, log and epoch", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const { group, user } = await world(keep);
    const lab = await group("Lab", { data: path });
    const alice = await user("alice");
    await alice.join("Lab");
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
    const asker = keep(
      new Requester({ transport: zmqTransport(), address: registry.address, what: "the registry" }),
    );
    const register = (address: string, version: number) =>
      asker.request("register", {
        record: signRecord({
          id: groupId(key.publicKey, "Lab", nonce),
          name: "Lab",
          access: "open",
          address,
          live: "",
          door: "",
          curve: "",
          key: key.publicKey,
          nonce,
          version,
          expires: Date.now() + 60_000,
        }, key),
      });
    const addresses = async () => {
      const { groups } = await asker.request("list", {});
      return (groups as { address: string }[]).map(({ address }) => address);
    };
    await register("127.0.0.1:1001", 1);
    await register("127.0.0.1:1002", 2);
    assert.deepEqual(await addresses(), ["127.0.0.1:1002"]);
    await assert.rejects(register("127.0.0.1:1001", 1), refused("stale_record"));
    assert.deepEqual(await addresses(), ["127.0.0.1:1002"]);
  }));

test("a registry gives a name to one key, also after it was started again", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const data = keep(new Folder()).path;
    const { registry, group } = await world(keep, home);
    const lab = await group("Lab", { data });
    await assert.rejects(group("Lab"), refused("name_taken"));
    await lab.close();
    await assert.rejects(group("Lab"), refused("name_taken"));
    await registry.close();

    const registries = [keep(await Registry.start({ port: 0, home })).address];
    await assert.rejects(Group.start({ name: "Lab", registries }), refused("name_taken"));
    keep(await Group.start({ name: "Lab", registries, data }));
  }));

test("a registry that was away has its whole list again, and nobody stopped talking", () =>
  closing(async (keep) => {
    const { registry, group, user } = await world(keep);
    await group("Lab");
    await group("Class");
    const alice = await user("alice");
    await alice.join("Lab");
    await registry.close();
    await alice.send("Lab", "without a registry");

    const port = Number(registry.address.split(":")[1]);
    keep(await Registry.start({ port }));
    const names = async () => (await alice.list()).map(({ name }) => name).join();
    await until(async () => await names() === "Class,Lab", 5_000, "both groups renewed");
    await alice.send("Lab", "with one");
    assert.deepEqual(await texts(alice.read("Lab")), ["without a registry", "with one"]);
  }));

for (const kind of ["registry", "group"] as const) {
  test(`a ${kind} answers every bad request with a code, and by its id where it has one`, () =>
    closing(async (keep) => {
      const { registry, group } = await world(keep);
      const { address } = kind === "registry" ? registry : await group("Lab", { plain: true });
      const peer = keep(new RawPeer(address));
      const utf8 = new Uint8Array([0x7b, 0xff, 0x7d]);
      const cases: [frames: (string | Uint8Array)[], id: number | null, code: string][] = [
        [["zg1"], null, "bad_request"],
        [["zg1", "{}", ""], null, "bad_request"],
        [["zg2", '{"id":1,"op":"ping"}'], null, "bad_request"],
        [["zg1", "nonsense"], null, "bad_request"],
        [["zg1", "[]"], null, "bad_request"],
        [["zg1", utf8], null, "bad_request"],
        [["zg1", '{"op":"ping"}'], null, "bad_request"],
        [["zg1", '{"id":-1,"op":"ping"}'], null, "bad_request"],
        [["zg1", '{"id":1}'], 1, "bad_request"],
        [["zg1", '{"id":2,"op":"fly"}'], 2, "unknown_op"],
        [["zg1", '{"id":3,"op":"__proto__"}'], 3, "unknown_op"],
        [["zg1", '{"id":4,"op":"constructor"}'], 4, "unknown_op"],
        [["zg1", `{"id":5,"op":"${kind === "group" ? "send" : "register"}"}`], 5, "bad_request"],
        [["zg1", '{"id":6,"op":"ping","unknown":[1]}'], 6, "ok"],
        [["", "zg1", '{"id":7,"op":"ping"}'], 7, "ok"],
      ];
      for (const [frames, id, code] of cases) {
        const [first, ...rest] = frames;
        const delimited = first === "";
        const reply = await peer.ask(...frames);
        const [, json] = delimited ? reply.slice(1) : reply;
        const { id: answered, ok, error } = JSON.parse(json);
        assert.deepEqual([answered, ok ? "ok" : error.code], [id, code], `${first} ${rest}`);
      }
    }));
}

test("a group answers a request without a session, or with another connection's, with no_session", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab", { plain: true });
    const one = keep(new RawMember(lab.address));
    const two = keep(new RawMember(lab.address));
    await one.prove();
    await one.ask("join");
    await assert.rejects(two.ask("read", {}, "x".repeat(22)), refused("no_session"));
    await assert.rejects(two.ask("read", {}, one.session), refused("no_session"));
    await two.prove();
    await assert.rejects(two.ask("read", {}, one.session), refused("no_session"));
    await one.ask("read");
  }));

test("a group believes nobody who cannot sign for the key it claims", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab", { plain: true });
    const alice = keep(new RawMember(lab.address));
    const thief = keep(new RawMember(lab.address, alice.key));
    await assert.rejects(thief.prove(newSigningKey()), refused("bad_proof"));
    const sig = alice.key.sign("anything else");
    await assert.rejects(thief.ask("prove", { sig }, "x".repeat(22)), refused("bad_proof"));
    await alice.prove();
    assert.notEqual(alice.session, "");
  }));

test("a group's proof is good once, and for one connection", () =>
  closing(async (keep) => {
    const { group } = await world(keep);
    const lab = await group("Lab", { plain: true });
    const alice = keep(new RawMember(lab.address));
    const thief = keep(new RawMember(lab.address, alice.key));
    const { nonce, group: { id } } = await alice.hello();
    await thief.hello();
    const sig = alice.key.sign(`zgroup proof 1\n${nonce}\n${id}`);
    await assert.rejects(thief.ask("prove", { sig }, ""), refused("bad_proof"));
    await alice.ask("prove", { sig });
    await assert.rejects(alice.ask("prove", { sig }), refused("bad_proof"));
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
