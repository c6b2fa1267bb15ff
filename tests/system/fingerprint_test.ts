import { Group, Registry } from "../support/inside.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";

test("two members compute the same fingerprint, and it is the hash that the group tells", () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const group = keep(await Group.start({ name: "Lab", registries, rate: Infinity }));
    const alice = keep(await connect({ name: "alice", registries }));
    const bob = keep(await connect({ name: "bob", registries }));
    await alice.join("Lab");
    await Promise.all(Array.from({ length: 2_500 }, (_, i) => alice.send("Lab", `text ${i}`)));
    await bob.join("Lab");
    const own = await alice.fingerprint("Lab");
    assert.deepEqual(await bob.fingerprint("Lab"), own);
    const { state: { epoch }, head, hash } = group.group;
    assert.deepEqual(own, { epoch, from: 1, seq: head, hash });
    const before = await bob.fingerprint("Lab", { at: 1_000 });
    assert.ok(before.seq >= 1_000 && before.seq < 1_256);
    assert.deepEqual(await alice.fingerprint("Lab", { at: before.seq }), before);
  }));

test("a user's diagnosis names who answers and who does not", () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const group = keep(await Group.start({ name: "Lab", registries }));
    const user = keep(await connect({ name: "alice", registries }));
    await user.join("Lab");
    for (const { problem, ahead } of await user.diagnose()) {
      assert.equal(problem, undefined);
      assert.ok(Math.abs(ahead) < 1_000, String(ahead));
    }
    await group.close();
    const [first, second] = await user.diagnose();
    assert.deepEqual([first.what, first.problem], ["registry", undefined]);
    assert.equal(second.what, "Lab");
    assert.match(second.problem!, /Cannot reach .*the group "Lab"/);
  }));
