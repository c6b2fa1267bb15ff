/** Attacks on the phone book: records of others, old ones, altered ones. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, Group, IdentityChanged, Registry } from "../../mod.ts";
import { groupId, newSigningKey, randomToken, type SigningKey } from "../../lib/identity/keys.ts";
import { encodeInvite } from "../../lib/protocol/invite.ts";
import { recordProblem, signRecord, unregisterText } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { Requester } from "../../lib/transport/requester.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { closing } from "../support.ts";
import {
  codeOf,
  Counts,
  flipped,
  RawChannel,
  recordOf,
  row,
  sized,
  world,
} from "./attack_world.ts";
import { codeOfReply } from "./attack_world.ts";
import { Folder } from "./world.ts";

type Unsigned = Omit<GroupRecord, "sig">;

/** A record of the name by another key. */
function rival(record: GroupRecord, key: SigningKey, changes: Partial<Unsigned> = {}): GroupRecord {
  const nonce = randomToken();
  const { sig: _, ...rest } = record;
  const id = groupId(key.publicKey, record.name, nonce);
  return signRecord({ ...rest, id, nonce, key: key.publicKey, ...changes }, key);
}

function asking(address: string): Requester {
  return new Requester({ transport: zmqTransport(), address, what: "the registry" });
}

test("attack: nobody takes a name from the key that has it", async () => {
  await closing(async (keep) => {
    const { registry, record } = await world(keep, keep(new Folder()).path);
    const wire = keep(asking(registry));
    const counts = new Counts();
    const total = sized(200, 2_000);
    for (let i = 0; i < total; i++) {
      const key = newSigningKey();
      const later = { version: Date.now() + i, expires: Date.now() + 1_000_000 };
      const changes = [
        later, // another key, another id
        { ...later, id: record.id }, // another key, the same id
        { ...later, id: record.id, nonce: record.nonce, key: record.key }, // signed by another
        { ...later, address: "127.0.0.1:9", live: "", door: "", curve: "" },
      ][i % 4];
      counts.add(await codeOf(wire.request("register", { record: rival(record, key, changes) })));
    }
    row("registry poisoned by a second key", counts.all);
    assert.equal(counts.of("ok"), 0);
    const { expires: _, ...held } = await recordOf(registry, "Lab");
    assert.equal(held.id, record.id);
    assert.equal(held.address, record.address);
  });
});

test("attack: an old record, and one altered in any field or byte, is refused", async () => {
  await closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const wire = keep(asking(registry.address));
    const key = newSigningKey();
    const nonce = randomToken();
    const version = Date.now();
    const make = (changes: Partial<Unsigned> = {}) =>
      signRecord({
        id: groupId(key.publicKey, "Lab", nonce),
        name: "Lab",
        access: "open",
        address: "127.0.0.1:5560",
        live: "127.0.0.1:5561",
        door: "127.0.0.1:5562",
        curve: zmqTransport().curveKeys().publicKey,
        key: key.publicKey,
        nonce,
        version,
        expires: version + 1_800_000,
        ...changes,
      }, key);
    const held = make();
    await wire.request("register", { record: held });

    const stale = new Counts();
    for (let i = 1; i <= sized(100, 1_000); i++) {
      const old = make({ version: version - i, address: `127.0.0.1:${i}` });
      stale.add(await codeOf(wire.request("register", { record: old })));
    }
    const same = make({ address: "127.0.0.1:9" });
    stale.add(await codeOf(wire.request("register", { record: same })));
    row("registry poisoned by a stale version", stale.all);
    assert.equal(stale.of("ok"), 0);

    const fields = new Counts();
    for (const field of Object.keys(held) as (keyof GroupRecord)[]) {
      const value = held[field];
      const others = typeof value === "number"
        ? [value + 1, value + 1e6, 0]
        : ["", `${value}x`, value.slice(0, -1), value.replace(/.$/, (c) => c === "A" ? "Q" : "A")];
      for (const other of others) {
        const record = { ...held, [field]: other };
        fields.add(await codeOf(wire.request("register", { record })));
        assert.notEqual(
          recordProblem(record as GroupRecord, version),
          undefined,
          `${field} ${other}`,
        );
      }
    }
    row("a record altered in each field", fields.all);
    assert.equal(fields.of("ok"), 0);

    const raw = keep(new RawChannel(registry.address));
    const text = JSON.stringify({ id: 7, op: "register", record: held });
    const masks = sized(1, 3);
    let accepted = 0;
    let changed = 0;
    for (let mask = 1; mask <= masks; mask++) {
      const replies = await raw.askAll(flipped(text, 1 << (mask - 1)).map((body) => ["zg1", body]));
      accepted += replies.filter((reply) => codeOfReply(reply) === "ok").length;
    }
    const now = await recordOf(registry.address, "Lab");
    for (const field of Object.keys(held) as (keyof GroupRecord)[]) {
      if (now[field] !== held[field]) changed++;
    }
    const tried = masks * text.length;
    // What is answered ok has another id of the request, or a field that nobody reads.
    row("register with each byte flipped", {
      tried,
      "answered ok": accepted,
      "fields changed": changed,
    });
    assert.equal(changed, 0);
    assert.ok(accepted <= 2 * masks, `${accepted} accepted`);
  });
});

test("attack: nobody else takes a record back, and an old taking back is no use", async () => {
  await closing(async (keep) => {
    const { registry, record } = await world(keep, keep(new Folder()).path);
    const wire = keep(asking(registry));
    const { id } = record;
    const counts = new Counts();
    for (let i = 0; i < sized(50, 500); i++) {
      const version = record.version + i;
      const sig = newSigningKey().sign(unregisterText(id, version));
      counts.add(await codeOf(wire.request("unregister", { group: id, version, sig })));
    }
    row("unregister by another key", counts.all);
    assert.equal(counts.of("ok"), 0);
    assert.equal((await recordOf(registry, "Lab")).id, id);
  });
});

test("attack: a client believes no registry that shows another group under a known name", async () => {
  await closing(async (keep) => {
    const { registry, record } = await world(keep, keep(new Folder()).path);
    const home = keep(new Folder()).path;
    {
      await using alice = await connect({ home, name: "alice", registries: [registry] });
      await alice.join("Lab");
    }
    const evil = keep(await Registry.start({ port: 0 }));
    const impostor = keep(
      await Group.start({ name: "Lab", registries: [evil.address] }),
    );
    await using alice = await connect({ home, registries: [evil.address] });
    await assert.rejects(alice.join("Lab"), (error) => {
      assert.ok(error instanceof IdentityChanged);
      assert.match(error.message, /ITS IDENTITY HAS CHANGED.*trust "Lab"/);
      return true;
    });
    const invite = encodeInvite({
      name: "Lab",
      address: impostor.address,
      door: impostor.door,
      id: impostor.service.identity.id,
      curve: record.curve,
      token: randomToken(),
      expires: Date.now() + 60_000,
    });
    await assert.rejects(alice.join(invite), IdentityChanged);
    // What she had goes on with the group she knew; the way to accept the other one is a command.
    assert.equal((await alice.send("Lab", "to the one I know")).duplicate, false);
    await alice.trust("Lab");
    assert.equal((await alice.join("Lab")).id, impostor.service.identity.id);
    row("impostor under a known name", { "stopped by IdentityChanged": 2, accepted: 0 });
  });
});
