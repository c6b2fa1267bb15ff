/** Attacks on registries: records of others, old ones, altered ones, and what floods them. */

import { Registry } from "../support/inside.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";

import { groupId, newSigningKey, randomToken, type SigningKey } from "../../lib/identity/keys.ts";
import { recordProblem, signRecord, unregisterText } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { REGISTRY_BOUNDS } from "../../lib/registry/bounds.ts";
import { closing } from "../support.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Chatter, Counts, type Keep, row, sized, times, world } from "./attack_world.ts";
import { bare, Folder } from "./world.ts";

type Unsigned = Omit<GroupRecord, "sig">;

/** A record of the name by another key. */
function rival(record: GroupRecord, key: SigningKey, changes: Partial<Unsigned> = {}): GroupRecord {
  const nonce = randomToken();
  const { sig: _, ...rest } = record;
  const id = groupId(key.publicKey, record.name, nonce);
  return signRecord({ ...rest, id, nonce, key: key.publicKey, ...changes }, key);
}

/** A group that is nowhere, as its key would sign it. */
function maker(name = "Lab") {
  const key = newSigningKey();
  const nonce = randomToken();
  const version = Date.now();
  const make = (changes: Partial<Unsigned> = {}) =>
    signRecord({
      ...{ id: groupId(key.publicKey, name, nonce), name, access: "open" },
      ...{ address: "127.0.0.1:5560", key: key.publicKey, nonce },
      ...{ version, expires: version + 1_800_000 },
      ...changes,
    }, key);
  return { key, version, make };
}

async function held(hand: Hand, name: string): Promise<GroupRecord> {
  const { group } = await hand.ask("resolve", { group: name });
  return (group as { record: GroupRecord }).record;
}

async function registryOf(keep: Keep): Promise<{ address: string; hand: Hand }> {
  const registry = keep(await Registry.start({ port: 0 }));
  const address = bare(registry.address);
  return { address, hand: keep(await Hand.open(address)) };
}

test("attack: nobody takes a name from the key that has it", async () => {
  await closing(async (keep) => {
    const { registry, group } = await world(keep, keep(new Folder()).path);
    const hand = keep(await Hand.open(bare(registry.address)));
    const record = group.record();
    const counts = new Counts();
    const total = sized(200, 2_000);
    for (let i = 0; i < total; i++) {
      const later = { version: Date.now() + i, expires: Date.now() + 1_000_000 };
      const changes = [
        later, // another key, another id
        { ...later, id: record.id }, // another key, the same id
        { ...later, id: record.id, nonce: record.nonce, key: record.key }, // signed by another
        { ...later, address: "127.0.0.1:9" },
      ][i % 4];
      const rivals = rival(record, newSigningKey(), changes);
      counts.add(await codeOf(hand.ask("register", { record: rivals })));
    }
    row("a registered name, by a second key", counts.all);
    assert.equal(counts.of("name_taken") + counts.of("bad_signature"), total);
    const { id, address } = await held(hand, "Lab");
    assert.deepEqual([id, address], [record.id, record.address]);
  });
});

test("attack: an old record, and one altered in any field, is refused", async () => {
  await closing(async (keep) => {
    const { hand } = await registryOf(keep);
    const { version, make } = maker();
    const good = make();
    await hand.ask("register", { record: good });
    const stale = new Counts();
    for (let i = 0; i <= sized(100, 1_000); i++) {
      const record = make({ version: version - i, address: `127.0.0.1:${i + 1}` });
      stale.add(await codeOf(hand.ask("register", { record })));
    }
    const far = [2 ** 53 - 1, version + 3_600_000, version + 400_000];
    for (const time of far) {
      stale.add(await codeOf(hand.ask("register", { record: make({ version: time }) })));
    }
    for (const expires of [2 ** 53 - 1, version + 5_000_000, version - 400_000, 1]) {
      const record = make({ version: version + 1, expires });
      stale.add(await codeOf(hand.ask("register", { record })));
    }
    row("a stale version, a version or an end ahead of the date", stale.all);
    assert.deepEqual(Object.keys(stale.all), ["stale_record"]);

    const fields = new Counts();
    const whole = [good, make({ server: "s".repeat(22) })].flatMap((record) =>
      Object.entries(record).map(([field, value]) => ({ record, field, value }))
    );
    for (const { record: own, field, value } of whole) {
      const others: (string | number | undefined)[] = typeof value === "number"
        ? [value + 1, value + 1e6, 0, -1, 0.5, 2 ** 53]
        : [
          "",
          `${value}x`,
          value.slice(0, -1),
          value.slice(0, -1) + (value.endsWith("A") ? "Q" : "A"),
        ];
      if (field === "server") others.push(undefined);
      for (const other of others) {
        const record = { ...own, [field]: other } as GroupRecord;
        fields.add(await codeOf(hand.ask("register", { record })));
        assert.notEqual(recordProblem(record, version), undefined, `${field} ${other}`);
      }
    }
    row("a record altered in each field", fields.all);
    assert.equal(fields.of("ok"), 0);
    assert.deepEqual(await held(hand, "Lab"), good);
  });
});

test("attack: a register altered in any byte changes nothing", async () => {
  await closing(async (keep) => {
    const { hand } = await registryOf(keep);
    const { make } = maker();
    const good = make();
    await hand.ask("register", { record: good });
    const text = Buffer.from(JSON.stringify({ id: 7, op: "register", record: good }));
    const counts = new Counts();
    for (let mask = 1; mask < 1 << sized(1, 8); mask <<= 1) {
      for (let at = 0; at < text.length; at++) {
        const altered = Buffer.from(text);
        altered[at] ^= mask;
        await hand.say(altered);
        const reply = await hand.reply();
        counts.add(reply.error?.code ?? "ok");
      }
    }
    // What is answered ok has another id of the request, or a field that nobody reads.
    row("register with each byte flipped", { tried: text.length * sized(1, 8), ...counts.all });
    assert.ok(counts.of("ok") <= 2 * sized(1, 8));
    assert.deepEqual(await held(hand, "Lab"), good);
  });
});

test("attack: nobody else takes a record back, and an old taking back is no use", async () => {
  await closing(async (keep) => {
    const { hand } = await registryOf(keep);
    const { key, version, make } = maker();
    const good = make();
    await hand.ask("register", { record: good });
    const { id } = good;
    const counts = new Counts();
    for (let i = 0; i < sized(50, 500); i++) {
      const sig = newSigningKey().sign(unregisterText(id, version + i));
      counts.add(await codeOf(hand.ask("unregister", { group: id, version: version + i, sig })));
    }
    row("unregister by another key", counts.all);
    assert.deepEqual(Object.keys(counts.all), ["bad_signature"]);
    const old = key.sign(unregisterText(id, version - 1));
    await hand.ask("unregister", { group: id, version: version - 1, sig: old });
    assert.deepEqual(await held(hand, "Lab"), good);
  });
});

test("attack: one IP fills a registry up to its bounds, and hurts nobody else", async () => {
  await closing(async (keep) => {
    const { registry, registries } = await world(keep, keep(new Folder()).path);
    const address = bare(registry.address);
    const chatter = await Chatter.in(keep, registries);
    const counts = new Counts();
    const total = sized(1_000, 20_000);
    await times(16, 16, async (lane) => {
      const hand = keep(await Hand.open(address, { from: "127.0.0.66" }));
      for (let i = lane; i < total; i += 16) {
        const record = maker(`name ${i}`).make();
        counts.add(await codeOf(hand.ask("register", { record })));
      }
    });
    row("names of one IP at a registry", {
      ...counts.all,
      "held MiB at most": Math.ceil(registry.accounts.most / 1_048_576),
    });
    assert.ok(registry.accounts.most < REGISTRY_BOUNDS.total);
    assert.ok(registry.state.size <= 16_384 + 1);
    const other = keep(await Hand.open(address));
    assert.equal(await codeOf(other.ask("register", { record: maker("Other").make() })), "ok");
    await chatter.hears(5);
    assert.equal(chatter.lost, 0);
  });
});
