import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, Group, Registry } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { Client, script, skip } from "./originals.ts";
import { ours, Process } from "./processes.ts";
import { bare, Folder, portOf } from "./world.ts";

const ALICE = "4b0c6a0e-6f0e-4a9e-8b9d-5d3c7f6b2a10";
const BOB = "9d0e3c1b-22a7-4d0f-a7c4-0a6f1f9c7a11";
const SUCCESS = { response: "SUCCESS" };
const FAILED = { response: "FAILED" };

/** Requests of the dialect's table. */
const join = (user: string) => ({ action: "joinGroup", user_uuid: user });
const leave = (user: string) => ({ action: "leaveGroup", user_uuid: user });
const send = (user: string, message: string) => ({
  action: "sendMessage",
  user_uuid: user,
  message,
});
const get = (user: string, timestamp: string | null = null) => ({
  action: "getMessage",
  user_uuid: user,
  timestamp,
});
const list = { action: "get_group_list", user_uuid: ALICE };

interface Messages {
  readonly response: string;
  readonly messages: { user_uuid: string; message: string; timestamp: string }[];
}

test(
  "dialect 002: a Python client lists, joins, sends, reads and leaves a plain group",
  { skip },
  () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      const group = keep(await Group.start({ name: "Café 😀", registries, plain: true }));
      const client = keep(new Client());
      const { address } = group;

      assert.deepEqual(await client.ask(bare(registry.address), list), [`Café 😀 - ${address}`]);
      const raw = await client.text(bare(registry.address), { json: list });
      assert.equal(raw, `["Caf\\u00e9 \\ud83d\\ude00 - ${address}"]`);

      assert.deepEqual(await client.ask(address, get(ALICE)), FAILED);
      assert.deepEqual(await client.ask(address, send(ALICE, "hi")), FAILED);
      assert.deepEqual(await client.ask(address, leave(ALICE)), FAILED);
      assert.deepEqual(await client.ask(address, join(ALICE)), SUCCESS);
      assert.deepEqual(await client.ask(address, join(ALICE)), SUCCESS);
      assert.equal(await client.text(address, { json: join(BOB) }), '{"response": "SUCCESS"}');

      assert.deepEqual(await client.ask(address, send(ALICE, "hé\ntwo lines")), SUCCESS);
      assert.deepEqual(await client.ask(address, send(BOB, "😀")), SUCCESS);
      const all = await client.ask(address, get(BOB)) as Messages;
      assert.equal(all.response, "SUCCESS");
      assert.deepEqual(all.messages.map(({ user_uuid, message }) => [user_uuid, message]), [
        [ALICE, "hé\ntwo lines"],
        [BOB, "😀"],
      ]);
      for (const { timestamp } of all.messages) {
        assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
        assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000, timestamp);
      }

      const last = all.messages[1].timestamp;
      const since = await client.ask(address, get(BOB, last)) as Messages;
      assert.equal(since.messages.at(-1)?.message, "😀");
      const today = await client.ask(address, get(BOB, "00:00:00")) as Messages;
      assert.equal(today.response, "SUCCESS");
      const later = await client.ask(address, get(BOB, "2999-01-01T00:00:00")) as Messages;
      assert.deepEqual(later, { response: "SUCCESS", messages: [] });
      assert.deepEqual(await client.ask(address, get(BOB, "soon")), FAILED);

      assert.deepEqual(await client.ask(address, leave(BOB)), SUCCESS);
      assert.deepEqual(await client.ask(address, get(BOB)), FAILED);
    }),
);

test("dialect 002: rubbish gets FAILED from a registry and a group, and nothing else changes", {
  skip,
}, () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const group = keep(await Group.start({ name: "Lab", registries, plain: true }));
    const client = keep(new Client());
    await client.ask(group.address, join(ALICE));
    const texts = [
      "",
      "nonsense",
      "[1, 2]",
      "null",
      '{"action": ',
      '{"action": "sendMessage"}',
      "{}",
    ];
    const objects = [
      { action: "fly", user_uuid: ALICE },
      { action: "__proto__", user_uuid: ALICE },
      { action: "sendMessage", user_uuid: ALICE },
      { action: "sendMessage", message: "hi" },
      { action: "sendMessage", user_uuid: ALICE, message: 7 },
      { action: "joinGroup" },
      { action: "joinGroup", user_uuid: ["u"] },
      { action: "register", group_name: "X" },
      { action: "register", group_name: "", ip_port: "127.0.0.1:1" },
      { action: "register", group_name: "X", ip_port: "nowhere" },
      { action: "register", group_name: "Lab", ip_port: "127.0.0.1:1" },
    ];
    for (const to of [bare(registry.address), group.address]) {
      for (const text of texts) {
        assert.equal(await client.text(to, { text }), '{"response": "FAILED"}', text);
      }
      for (const json of objects) assert.deepEqual(await client.ask(to, json), FAILED);
    }
    const long = { action: "sendMessage", user_uuid: ALICE, message: "x".repeat(65_537) };
    assert.deepEqual(await client.ask(group.address, long), FAILED);
    assert.deepEqual(await client.ask(bare(registry.address), list), [`Lab - ${group.address}`]);
    assert.deepEqual(await client.ask(group.address, get(ALICE)), { ...SUCCESS, messages: [] });
    assert.deepEqual(await client.ask(group.address, join(ALICE)), SUCCESS);
  }));

test(
  "dialect 002: a claimed id never speaks for a user with a key",
  { skip },
  () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      const group = keep(await Group.start({ name: "Lab", registries, plain: true }));
      const alice = keep(await connect({ name: "alice", registries }));
      const client = keep(new Client());
      await alice.join("Lab");
      await alice.send("Lab", "mine");

      assert.deepEqual(await client.ask(group.address, get(alice.id)), FAILED);
      assert.deepEqual(await client.ask(group.address, leave(alice.id)), FAILED);
      assert.deepEqual(await client.ask(group.address, join(alice.id)), SUCCESS);
      assert.deepEqual(await client.ask(group.address, send(alice.id, "not hers")), SUCCESS);
      const members = await alice.members("Lab");
      assert.deepEqual(members.map(({ user }) => user).sort(), [alice.id, `~${alice.id}`].sort());
      const entries = await Array.fromAsync(alice.read("Lab"));
      const messages = entries.filter(({ kind }) => kind === "message");
      assert.deepEqual(messages.map(({ author, text, signature }) => [author, text, signature]), [
        [alice.id, "mine", "valid"],
        [`~${alice.id}`, "not hers", "unsigned"],
      ]);
      assert.deepEqual(await client.ask(group.address, leave(alice.id)), SUCCESS);
      await alice.send("Lab", "still a member");
    }),
);

test(
  "dialect 002: members and messages are there when a plain group is started again",
  { skip },
  () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const client = keep(new Client());
      const start = async () =>
        keep(await Group.start({ name: "Lab", registries: [], plain: true, data: path }));
      const first = await start();
      await client.ask(first.address, join(ALICE));
      await client.ask(first.address, send(ALICE, "before"));
      await first.close();
      const second = await start();
      const { messages } = await client.ask(second.address, get(ALICE)) as Messages;
      assert.deepEqual(messages.map(({ message }) => message), ["before"]);
    }),
);

test(
  "dialect 002: a group without --plain serves nobody in the clear",
  { skip },
  () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      const group = keep(await Group.start({ name: "Lab", registries }));
      const alice = keep(await connect({ name: "alice", registries }));
      const client = keep(new Client());
      for (const json of [join(ALICE), send(ALICE, "hi"), get(ALICE)]) {
        assert.deepEqual(await client.ask(group.address, json), FAILED);
      }
      await alice.join("Lab");
      assert.deepEqual((await alice.members("Lab")).map(({ name }) => name), ["alice"]);
    }),
);

test("dialect 002: a Python group that registers once is listed, and quiet when it is gone", {
  skip,
}, () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const user = keep(await connect({ name: "alice", registries: [registry.address] }));
    const group = keep(script("group_002.py", bare(registry.address), "Python Group"));
    const { address, registered } = JSON.parse(await group.line(/^{/));
    assert.equal(registered, "SUCCESS");
    const client = keep(new Client());
    assert.deepEqual(await client.ask(bare(registry.address), list), [`Python Group - ${address}`]);
    assert.deepEqual(await client.ask(address, join(ALICE)), SUCCESS);
    assert.deepEqual(await client.ask(address, send(ALICE, "hi")), SUCCESS);
    assert.equal((await client.ask(address, get(ALICE)) as Messages).messages[0].message, "hi");
    assert.deepEqual(await user.list(), [{ name: "Python Group", address, state: "live" }]);

    group.finish();
    await group.end(5_000);
    const state = async () => (await user.list())[0]?.state;
    await until(async () => await state() === "quiet", 6_000, "the dead group is quiet");
    // Whoever takes its address ends its lease.
    keep(await Group.start({ name: "Next", address, registries: [registry.address] }));
    assert.deepEqual((await user.list()).map(({ name }) => name), ["Next"]);
  }));

/** A registration of the dialect. */
const register = (group_name: string, ip_port: string) => ({
  action: "register",
  group_name,
  ip_port,
});

test(
  "dialect 002: its users hear of groups that serve them, and of no other",
  { skip },
  () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      const user = keep(await connect({ name: "alice", registries }));
      keep(await Group.start({ name: "Sealed", registries }));
      const plain = keep(await Group.start({ name: "Plain", registries, plain: true }));
      const client = keep(new Client());
      const old = keep(script("group_002.py", bare(registry.address), "Old"));
      const { address } = JSON.parse(await old.line(/^{/));
      assert.deepEqual(await client.ask(bare(registry.address), list), [
        `Old - ${address}`,
        `Plain - ${plain.address}`,
      ]);
      assert.deepEqual((await user.list()).map(({ name }) => name), ["Old", "Plain", "Sealed"]);
    }),
);

test(
  "dialect 002: a group that registered once is there after its registry was killed",
  { skip },
  () =>
    closing(async (keep) => {
      const home = keep(new Folder()).path;
      const start = (port: number) =>
        new Process(ours("registry.ts", "--port", `${port}`, "--home", home));
      const first = keep(start(0));
      const port = portOf(/127\.0\.0\.1:\d+/.exec(await first.line(/127\.0\.0\.1:\d+/))![0]);
      const at = `127.0.0.1:${port}`;
      const client = keep(new Client());
      assert.equal(await client.text(at, { json: register("Far", "10.0.0.1:1") }), "SUCCESS");
      assert.equal(await client.text(at, { json: register("Moved", "10.0.0.1:2") }), "SUCCESS");
      assert.equal(await client.text(at, { json: register("Next", "10.0.0.1:2") }), "SUCCESS");
      await first.kill();
      const second = keep(start(port));
      await second.line(/127\.0\.0\.1:\d+/);
      assert.deepEqual(await client.ask(at, list), ["Far - 10.0.0.1:1", "Next - 10.0.0.1:2"]);
      // What is repeated is not written again; a refusal is told as one.
      assert.equal(await client.text(at, { json: register("Far", "10.0.0.1:1") }), "SUCCESS");
      await second.line(/JOIN REQUEST FROM 10\.0\.0\.1:1 \(.+\)$/);
      keep(await Group.start({ name: "Lab", registries: [at] }));
      await second.line(/JOIN REQUEST FROM 127\.0\.0\.1:\d+ \(.+\)$/);
      assert.deepEqual(await client.ask(at, register("Lab", "10.0.0.1:3")), FAILED);
      await second.line(/JOIN REQUEST FROM 10\.0\.0\.1:3 \(.+\) refused: name_taken$/);
      await assert.rejects(Group.start({ name: "Lab", registries: [at] }), { code: "name_taken" });
      await second.line(/JOIN REQUEST FROM 127\.0\.0\.1:\d+ \(.+\) refused: name_taken$/);
    }),
);
