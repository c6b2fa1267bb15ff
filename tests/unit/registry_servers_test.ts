/** Leases of several servers of one group, side by side. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Refusal } from "../../lib/errors.ts";
import { groupId, type SigningKey } from "../../lib/identity/keys.ts";
import { MAX_FRAME } from "../../lib/protocol/limits.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { ServerVersions } from "../../lib/registry/server_versions.ts";
import { RegistryState } from "../../lib/registry/state.ts";
import { fixedKey, NOW } from "./fixtures.ts";
import { holds } from "./properties.ts";

const key = fixedKey(0);
const MINUTE = 60_000;
const IP = "127.0.0.1";
const ALL = { prefix: "", after: "", limit: 1_000 };

/** The token of a server. */
const token = (n: number) => `server-number-${n}`.padEnd(22, "-");
const at = (n: number) => `127.0.0.${n}:5560`;

/** A record of server `n`, at its own address; of the only server without a number. */
function record(
  n?: number,
  changes: Partial<GroupRecord> = {},
  signer: SigningKey = key,
): GroupRecord {
  const { name = "Lab", nonce = "n".repeat(22) } = changes;
  return signRecord({
    id: groupId(signer.publicKey, name, nonce),
    name,
    access: "open",
    address: at(n ?? 99),
    key: signer.publicKey,
    nonce,
    version: NOW,
    expires: NOW + 3_600_000,
    ...(n === undefined ? {} : { server: token(n) }),
    ...changes,
  }, signer);
}

function register(state: RegistryState, own: GroupRecord, now = NOW): string {
  try {
    return state.register(own, IP, now, NOW);
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

/** Addresses of a listing, the main one first; `?` marks a quiet one. */
function shown(state: RegistryState, now = NOW, group = "Lab"): string[] {
  const listing = state.resolve(group, now);
  if (!listing) return [];
  const all = [listing, ...listing.servers ?? []];
  return all.map(({ address, state }) => state === "live" ? address : `${address}?`);
}

test("registry: servers of one group are held side by side, each live, quiet and gone by itself", () => {
  const state = new RegistryState();
  assert.equal(register(state, record(1)), "taken");
  assert.equal(register(state, record(2), NOW + 4_000), "moved");
  assert.deepEqual(shown(state, NOW + 5_000), [at(1), at(2)]);
  // A live one is the main one.
  assert.deepEqual(shown(state, NOW + 5_001), [at(2), `${at(1)}?`]);
  assert.deepEqual(shown(state, NOW + 10_000), [`${at(2)}?`, `${at(1)}?`]);
  assert.deepEqual(shown(state, NOW + 30_001), [`${at(2)}?`]);
  assert.deepEqual(shown(state, NOW + 34_001), []);
  assert.equal(state.size, 0);
});

test("registry: a group with one server has no list of others, whether it names a server or not", () => {
  for (const own of [record(), record(1)]) {
    const state = new RegistryState();
    register(state, own);
    assert.deepEqual(Object.keys(state.resolve("Lab", NOW)!), [
      ...["name", "address", "state", "record"],
    ]);
  }
});

test("registry: a listing has the record of each server, and is found at the address of any", () => {
  const state = new RegistryState();
  const records = [1, 2, 3].map((n) => record(n));
  for (const own of records) register(state, own);
  const [first, ...others] = records;
  const listing = {
    ...{ name: "Lab", address: at(1), state: "live", record: first },
    servers: others.map((record) => ({ address: record.address, state: "live", record })),
  };
  for (const group of ["Lab", first.id, at(1), at(2), at(3)]) {
    assert.deepEqual(state.resolve(group, NOW), listing, group);
  }
  assert.deepEqual(state.list(ALL, NOW), { groups: [listing], more: false });
});

test("registry: a server is taken back by itself, not by another's or an older version", () => {
  const state = new RegistryState();
  const { id } = record();
  for (const n of [1, 2]) register(state, record(n));
  assert.equal(state.unregister(id, NOW), undefined);
  assert.equal(state.unregister(id, NOW, token(3)), undefined);
  assert.equal(state.unregister(id, NOW - 1, token(1)), undefined);
  assert.equal(state.unregister(id, NOW, token(1))?.address, at(1));
  assert.deepEqual(shown(state), [at(2)]);
  assert.equal(state.recordOf(id, token(1)), undefined);
  assert.equal(state.recordOf(id, token(2))?.address, at(2));
  assert.equal(state.unregister(id, NOW, token(2))?.address, at(2));
  assert.equal(state.resolve(id, NOW), undefined);
});

test("registry: clocks of servers may differ by minutes, and no record of one comes back", () => {
  const state = new RegistryState();
  register(state, record(1, { version: NOW + 4 * MINUTE }));
  assert.equal(register(state, record(2, { version: NOW - 4 * MINUTE })), "moved");
  // Each goes on by its own clock, and an older one is refused, at whatever address.
  assert.equal(register(state, record(2, { version: NOW - 3 * MINUTE })), "moved");
  const old = record(2, { version: NOW - 4 * MINUTE, address: at(7) });
  assert.equal(register(state, old), "stale_record");
  // Also when its lease is gone, and that of a later start is there.
  state.unregister(old.id, NOW, token(2));
  assert.equal(register(state, record(3, { version: NOW - 2 * MINUTE, address: at(2) })), "moved");
  assert.equal(
    register(state, record(2, { version: NOW - 3 * MINUTE })),
    "stale_record",
  );
  assert.deepEqual(shown(state), [at(1), at(2)]);
});

test("registry: a server that starts again takes the lease at its address", () => {
  const state = new RegistryState();
  for (const n of [1, 2]) register(state, record(n));
  register(state, record(3, { address: at(1) }));
  assert.deepEqual(shown(state), [at(2), at(1)]);
  assert.equal(state.size, 2);
});

test("registry: a record without a server takes over from all, and the other way round", () => {
  const state = new RegistryState();
  for (const n of [1, 2]) register(state, record(n, { version: NOW + n }));
  // Of the group's time on one server before that, or from between: not greater than each.
  assert.equal(register(state, record(undefined, { version: NOW + 2 })), "stale_record");
  assert.equal(register(state, record(undefined, { version: NOW + 3 })), "moved");
  assert.deepEqual(shown(state), [at(99)]);
  assert.equal(register(state, record(1, { version: NOW + 2 })), "stale_record");
  assert.equal(register(state, record(3, { version: NOW + 3 })), "stale_record");
  assert.equal(register(state, record(3, { version: NOW + 4 })), "moved");
  assert.equal(register(state, record(4, { version: NOW + 4 })), "moved");
  assert.deepEqual(shown(state), [at(3), at(4)]);
  assert.equal(state.size, 2);
});

test("registry: servers of a group that was founded anew take over from those of the former", () => {
  const state = new RegistryState();
  for (const n of [1, 2]) register(state, record(n, { version: NOW + n }));
  const anew = (n: number, version: number) => record(n, { version, nonce: "m".repeat(22) });
  assert.equal(register(state, anew(3, NOW + 2)), "stale_record");
  assert.equal(register(state, anew(3, NOW + 3)), "moved");
  assert.deepEqual(shown(state), [at(3)]);
  assert.equal(state.resolve(record().id, NOW), undefined);
  state.unregister(anew(3, NOW).id, NOW + 3, token(3));
  assert.equal(register(state, record(1, { version: NOW + 2 })), "stale_record");
});

test("registry: another key is refused a server of a name", () => {
  const state = new RegistryState();
  register(state, record(1));
  assert.equal(register(state, record(2, {}, fixedKey(100))), "name_taken");
});

test("registry: of 16 servers the one quiet longest makes room, and a live one never", () => {
  const state = new RegistryState();
  for (let n = 1; n <= 16; n++) register(state, record(n), NOW + n);
  assert.equal(register(state, record(17), NOW + 17), "busy");
  // One that renews, or starts again at its address, is none more.
  assert.equal(register(state, record(16), NOW + 5_002), "renewed");
  assert.equal(register(state, record(18, { address: at(16) }), NOW + 5_002), "moved");
  assert.equal(register(state, record(17), NOW + 5_003), "moved");
  assert.equal(state.size, 16);
  assert.ok(!shown(state, NOW + 5_003).includes(`${at(1)}?`));
  assert.ok(shown(state, NOW + 5_003).includes(`${at(2)}?`));
});

test("registry: a page of groups with 16 servers each fits into one frame, and costs what it holds", () => {
  const state = new RegistryState();
  for (let group = 0; group < 64; group++) {
    const name = `${"\u{1F600}".repeat(31)}${String(group).padStart(2, "0")}`;
    for (let n = 1; n <= 16; n++) {
      const address = `${"a".repeat(60)}.${n}.${group}.example:65535`;
      register(state, record(n, { name, address }));
    }
  }
  const groups: string[] = [];
  for (let more = true; more;) {
    const page = state.list({ ...ALL, after: groups.at(-1) ?? "" }, NOW);
    const json = new TextEncoder().encode(JSON.stringify({ id: 1, ok: page }));
    assert.ok(json.length < MAX_FRAME);
    assert.ok(page.groups.every(({ servers }) => servers?.length === 15));
    groups.push(...page.groups.map(({ name }) => name));
    more = page.more;
  }
  assert.equal(groups.length, 64);
});

test("registry: dialects hear of the servers that speak them", () => {
  const state = new RegistryState();
  register(state, record(1));
  state.register(record(2), IP, NOW, NOW, true);
  const listed = () => state.list({ ...ALL, plain: true }, NOW).groups;
  assert.deepEqual(listed().map(({ address, servers }) => [address, servers]), [
    [at(2), undefined],
  ]);
  state.unregister(record().id, NOW, token(2));
  assert.deepEqual(listed(), []);
});

test("versions of servers: those of one name, and all, are bounded; the least one counts for the rest", () => {
  const versions = new ServerVersions(40);
  for (let n = 1; n <= 32; n++) assert.equal(versions.set("Lab", token(n), n), undefined);
  assert.equal(versions.set("Lab", token(1), 100), undefined);
  assert.deepEqual(versions.set("Lab", token(33), 1), {
    ...{ name: "Lab", server: token(2), version: 2 },
  });
  assert.equal(versions.get("Lab", token(2)), undefined);
  assert.equal(versions.greatest("Lab"), 100);
  for (let n = 1; n <= 8; n++) assert.equal(versions.set("Next", token(n), n), undefined);
  assert.deepEqual(versions.set("Next", token(9), 9)?.server, token(3));
  versions.clear("Lab");
  assert.equal(versions.greatest("Lab"), 0);
  assert.equal(versions.get("Next", token(9)), 9);
});

/** What the registry should hold, as simply as it can be said. */
class Model {
  leases: { server?: number; version: number; address: string; seen: number }[] = [];
  /** Each server ever seen since the last time that one took over from all. */
  seen = new Map<number, number>();
  floor = 0;

  register(server: number | undefined, version: number, address: string, now: number): string {
    this.sweep(now);
    const same = this.leases.find((lease) =>
      lease.server === server && lease.version === version && lease.address === address
    );
    if (same) {
      same.seen = now;
      return "ok";
    }
    const beside = server !== undefined &&
      this.leases.every((lease) => lease.server !== undefined);
    const greatest = Math.max(this.floor, ...this.seen.values());
    const least = beside ? this.seen.get(server) ?? this.floor : greatest;
    if (version <= least) return "stale_record";
    const stay = beside
      ? this.leases.filter((lease) => lease.server !== server && lease.address !== address)
      : [];
    if (!beside) {
      this.floor = greatest;
      this.seen.clear();
    }
    if (server === undefined) this.floor = version;
    else this.seen.set(server, version);
    this.leases = [...stay, { server, version, address, seen: now }];
    return "ok";
  }

  unregister(server: number | undefined, version: number): void {
    this.leases = this.leases.filter((lease) => lease.server !== server || version < lease.version);
  }

  sweep(now: number): void {
    this.leases = this.leases.filter(({ seen }) => now - seen <= 30_000);
  }

  shown(now: number): string[] {
    this.sweep(now);
    return this.leases.map(({ address, seen }) => now - seen <= 5_000 ? address : `${address}?`);
  }
}

const servers = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });
const step = fc.record({
  what: fc.constantFrom("register", "register", "register", "unregister"),
  server: servers,
  version: fc.integer({ min: 1, max: 12 }),
  place: fc.integer({ min: 1, max: 5 }),
  wait: fc.constantFrom(0, 0, 1_000, 4_000, 6_000, 31_000),
});

test("registry property: whatever servers of a group do, its listing is what a simple model says", () => {
  holds(fc.array(step, { maxLength: 40 }), (steps) => {
    const state = new RegistryState();
    const model = new Model();
    let now = NOW;
    for (const { what, server, version, place, wait } of steps) {
      now += wait;
      state.sweep(now); // As a registry does each 2 s.
      if (what === "register") {
        const own = record(server, { version, address: at(place) });
        const got = register(state, own, now);
        const expected = model.register(server, version, at(place), now);
        assert.equal(["taken", "moved", "renewed"].includes(got) ? "ok" : got, expected);
      } else {
        state.unregister(record().id, version, server === undefined ? undefined : token(server));
        model.unregister(server, version);
      }
      const listed = shown(state, now);
      const expected = model.shown(now);
      assert.deepEqual(listed.toSorted(), expected.toSorted());
      if (expected.some((address) => !address.endsWith("?"))) assert.ok(!listed[0].endsWith("?"));
      assert.equal(state.size, expected.length);
      for (const address of expected) {
        assert.deepEqual(shown(state, now, address.replace("?", "")), listed);
      }
    }
  });
});
