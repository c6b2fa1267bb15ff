import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../lib/errors.ts";
import { groupId, type SigningKey } from "../../lib/identity/keys.ts";
import { MAX_FRAME } from "../../lib/protocol/limits.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { RegistryState } from "../../lib/registry/state.ts";
import { fixedKey, NOW } from "./fixtures.ts";

const key = fixedKey(0);
const other = fixedKey(100);
const nonce = "n".repeat(22);

function record(changes: Partial<GroupRecord> = {}, signer: SigningKey = key): GroupRecord {
  const name = changes.name ?? "Lab";
  return signRecord({
    id: groupId(signer.publicKey, name, changes.nonce ?? nonce),
    name,
    access: "open",
    address: "127.0.0.1:5560",
    live: "127.0.0.1:5561",
    door: "",
    curve: "",
    key: signer.publicKey,
    nonce,
    version: NOW,
    expires: NOW + 3_600_000,
    ...changes,
  }, signer);
}

const ALL = { prefix: "", after: "", limit: 1_000 };
const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

function names(state: RegistryState, now = NOW, range: Partial<typeof ALL> = {}): string[] {
  return state.list({ ...ALL, ...range }, now).groups.map(({ name }) => name);
}

test("registry: a lease is live up to 5 s after its renewal, quiet up to 30 s, then gone", () => {
  const state = new RegistryState();
  assert.equal(state.register(record(), NOW), "taken");
  const at = (ms: number) => state.resolve("Lab", NOW + ms)?.state;
  assert.equal(at(0), "live");
  assert.equal(at(5_000), "live");
  assert.equal(at(5_001), "quiet");
  assert.equal(at(30_000), "quiet");
  assert.equal(at(30_001), undefined);
  assert.equal(state.size, 0);
});

test("registry: a renewal makes a quiet lease live", () => {
  const state = new RegistryState();
  state.register(record(), NOW);
  assert.equal(state.register(record(), NOW + 20_000), "renewed");
  assert.equal(state.resolve("Lab", NOW + 25_000)?.state, "live");
  assert.equal(state.resolve("Lab", NOW + 50_000)?.state, "quiet");
});

test("registry: a listing is found by name, id and address", () => {
  const state = new RegistryState();
  const lab = record();
  state.register(lab, NOW);
  for (const group of ["Lab", lab.id, lab.address]) {
    assert.deepEqual(state.resolve(group, NOW), {
      name: "Lab",
      address: "127.0.0.1:5560",
      state: "live",
      record: lab,
    });
  }
  for (const group of ["lab", "", "127.0.0.1:5561"]) {
    assert.equal(state.resolve(group, NOW), undefined);
  }
});

test("registry: of two leases at one address the one renewed last is found", () => {
  const state = new RegistryState();
  state.register(record(), NOW);
  state.register(record({ name: "Next" }, other), NOW + 10_000);
  assert.equal(state.resolve("127.0.0.1:5560", NOW + 10_000)?.name, "Next");
});

test("registry: a name belongs to the first key, also when its lease is gone", () => {
  const state = new RegistryState();
  state.register(record(), NOW);
  const thief = record({ version: NOW + 9 }, other);
  assert.throws(() => state.register(thief, NOW), refused("name_taken"));
  assert.throws(() => state.register(thief, NOW + 60_000), refused("name_taken"));
});

test("registry: a name of an earlier run belongs to its key", () => {
  const state = new RegistryState();
  state.restore("Lab", key.publicKey);
  state.restore("Lab", other.publicKey);
  assert.throws(() => state.register(record({}, other), NOW), refused("name_taken"));
  assert.equal(state.register(record(), NOW), "moved");
});

test("registry: the same group at another address replaces its lease", () => {
  const state = new RegistryState();
  state.register(record(), NOW);
  const moved = record({ address: "127.0.0.1:6000", version: NOW + 1 });
  assert.equal(state.register(moved, NOW + 1), "moved");
  assert.deepEqual(state.list(ALL, NOW + 1).groups.map(({ address }) => address), [
    "127.0.0.1:6000",
  ]);
  assert.equal(state.resolve("127.0.0.1:5560", NOW + 1), undefined);
});

test("registry: an older or equal version never comes back", () => {
  const state = new RegistryState();
  const old = record();
  state.register(old, NOW);
  state.register(record({ version: NOW + 5, address: "127.0.0.1:6000" }), NOW);
  assert.throws(() => state.register(old, NOW), refused("stale_record"));
  assert.throws(() => state.register(record({ version: NOW + 5 }), NOW), refused("stale_record"));
  assert.throws(() => state.register(old, NOW + 40_000), refused("stale_record"));
});

test("registry: a record that does not verify is refused, a renewal too", () => {
  const state = new RegistryState();
  const lab = record();
  const forged = { ...lab, address: "127.0.0.1:6666" };
  assert.throws(() => state.register(forged, NOW), refused("bad_signature"));
  state.register(lab, NOW);
  assert.throws(() => state.register(forged, NOW), refused("bad_signature"));
  assert.equal(state.resolve("Lab", NOW)?.address, lab.address);
});

test("registry: a record that expired or lives too long is refused, with 5 min of slack", () => {
  const slack = 300_000;
  const take = (expires: number) => new RegistryState().register(record({ expires }), NOW);
  assert.equal(take(NOW - slack + 1), "taken");
  assert.throws(() => take(NOW - slack), refused("stale_record"));
  assert.equal(take(NOW + 3_600_000 + slack), "taken");
  assert.throws(() => take(NOW + 3_600_001 + slack), refused("stale_record"));
});

test("registry: a lease is taken back by its id, not by an older version", () => {
  const state = new RegistryState();
  const lab = record();
  state.register(lab, NOW);
  assert.equal(state.unregister(lab.id, lab.version - 1), undefined);
  assert.equal(state.unregister("other", lab.version), undefined);
  assert.deepEqual(names(state), ["Lab"]);
  assert.deepEqual(state.unregister(lab.id, lab.version), lab);
  assert.deepEqual(names(state), []);
  assert.throws(() => state.register(lab, NOW), refused("stale_record"));
});

test("registry: a list is in the order of names, page after page, each once", () => {
  const state = new RegistryState({ namesPerKey: 1_000 });
  const all = ["L", "Lab", "Lab 1", "Lab 2", "Lab 3", "M", "a", "É", "漢", "😀"].sort();
  for (const name of all.toReversed()) state.register(record({ name }), NOW);
  for (const prefix of ["", "L", "Lab", "Lab ", "漢", "x"]) {
    const wanted = all.filter((name) => name.startsWith(prefix));
    assert.deepEqual(names(state, NOW, { prefix }), wanted);
    for (const limit of [1, 2, 3]) {
      const found: string[] = [];
      for (let after = "", more = true, pages = 0; more; pages++) {
        assert.ok(pages <= wanted.length, `the list of "${prefix}" does not end`);
        const page = state.list({ prefix, after, limit }, NOW);
        found.push(...page.groups.map(({ name }) => name));
        after = found.at(-1) ?? "";
        more = page.more;
      }
      assert.deepEqual(found, wanted, `prefix "${prefix}", limit ${limit}`);
    }
  }
});

test("registry: a page fits into one frame, however long names and addresses are", () => {
  const state = new RegistryState({ namesPerKey: 1_000 });
  const long = `${"a".repeat(254)}:12345`;
  for (let i = 0; i < 600; i++) {
    const name = `${"漢".repeat(60)}${1_000 + i}`;
    state.register(record({ name, address: long, live: long, door: long }), NOW);
  }
  const found: string[] = [];
  for (let after = "", more = true; more;) {
    const page = state.list({ ...ALL, after }, NOW);
    assert.ok(new TextEncoder().encode(JSON.stringify(page)).length < MAX_FRAME - 1_000);
    assert.ok(page.groups.length > 0);
    found.push(...page.groups.map(({ name }) => name));
    after = found[found.length - 1];
    more = page.more;
  }
  assert.equal(new Set(found).size, 600);
  assert.equal(found.length, 600);
});

test("registry: bounds are refused as busy, and a renewal is never", () => {
  const state = new RegistryState({ leases: 3, namesPerKey: 2, keyless: 1 });
  state.register(record({ name: "A" }), NOW);
  state.register(record({ name: "B" }), NOW);
  assert.throws(() => state.register(record({ name: "C" }), NOW), refused("busy"));
  state.registerKeyless("K", "127.0.0.1:1", NOW);
  assert.throws(() => state.registerKeyless("K2", "127.0.0.1:2", NOW), refused("busy"));
  assert.throws(() => state.register(record({ name: "C" }, other), NOW), refused("busy"));
  assert.equal(state.register(record({ name: "A" }), NOW), "renewed");
});

test("registry: a group without a key is kept for ever, quiet when nothing listens there", () => {
  const state = new RegistryState();
  state.registerKeyless("Old", "127.0.0.1:5560", NOW);
  const later = NOW + 86_400_000;
  assert.deepEqual(state.resolve("Old", later), {
    name: "Old",
    address: "127.0.0.1:5560",
    state: "live",
  });
  state.probed("Old", "127.0.0.1:5560", false);
  assert.equal(state.resolve("Old", later)?.state, "quiet");
  state.probed("Old", "127.0.0.1:9999", true);
  assert.equal(state.resolve("Old", later)?.state, "quiet");
  state.probed("Old", "127.0.0.1:5560", true);
  assert.equal(state.resolve("Old", later)?.state, "live");
});

test("registry: a group without a key ends when another takes its address", () => {
  const state = new RegistryState();
  state.registerKeyless("Old", "127.0.0.1:5560", NOW);
  state.registerKeyless("New", "127.0.0.1:5560", NOW);
  assert.deepEqual(names(state), ["New"]);
  state.register(record(), NOW);
  assert.deepEqual(names(state), ["Lab"]);
});

test("registry: a group without a key registers again, and moves only when it is not reachable", () => {
  const state = new RegistryState();
  state.registerKeyless("Old", "127.0.0.1:1", NOW);
  state.registerKeyless("Old", "127.0.0.1:1", NOW);
  assert.throws(() => state.registerKeyless("Old", "127.0.0.1:2", NOW), refused("name_taken"));
  state.probed("Old", "127.0.0.1:1", false);
  state.registerKeyless("Old", "127.0.0.1:2", NOW);
  assert.equal(state.resolve("Old", NOW)?.address, "127.0.0.1:2");
});

test("registry: a group without a key takes neither a key's name nor a live group's address", () => {
  const state = new RegistryState();
  state.register(record(), NOW);
  assert.throws(() => state.registerKeyless("Lab", "127.0.0.1:1", NOW), refused("name_taken"));
  assert.throws(() => state.registerKeyless("X", "127.0.0.1:5560", NOW), refused("address_taken"));
  assert.throws(
    () => state.registerKeyless("Lab", "127.0.0.1:1", NOW + 60_000),
    refused("name_taken"),
  );
  state.registerKeyless("X", "127.0.0.1:5560", NOW + 6_000);
  assert.deepEqual(state.keyless().map(({ name }) => name), ["X"]);
});

test("registry: a key takes the name of a group without one", () => {
  const state = new RegistryState();
  state.registerKeyless("Lab", "127.0.0.1:1", NOW);
  state.register(record(), NOW);
  assert.equal(state.resolve("Lab", NOW)?.record?.key, key.publicKey);
  assert.equal(state.size, 1);
});

test("registry: leases at one host and names in all are bounded, and room comes back", () => {
  const state = new RegistryState({ perHost: 2, names: 4 });
  const at = (name: string, host: string) =>
    state.register(record({ name, address: `${host}:1` }), NOW);
  at("a", "10.0.0.1");
  at("b", "10.0.0.1");
  assert.throws(() => at("c", "10.0.0.1"), refused("busy"));
  assert.throws(() => state.registerKeyless("c", "10.0.0.1:2", NOW), refused("busy"));
  at("c", "10.0.0.2");
  const moved = record({ name: "c", address: "10.0.0.1:9", version: NOW + 1 });
  assert.throws(() => state.register(moved, NOW), refused("busy"));
  const away = record({ name: "a", address: "10.0.0.2:9", version: NOW + 1 });
  assert.equal(state.register(away, NOW), "moved");
  assert.equal(state.register(moved, NOW), "moved");
  at("d", "10.0.0.3");
  assert.throws(() => at("e", "10.0.0.3"), refused("busy"));
});
