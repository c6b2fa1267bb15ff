import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../lib/errors.ts";
import { groupId, type SigningKey } from "../../lib/identity/keys.ts";
import { MAX_FRAME } from "../../lib/protocol/limits.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { SortedList } from "../../lib/structures/sorted.ts";
import { RegistryState } from "../../lib/registry/state.ts";
import { fixedKey, NOW, randomFrom } from "./fixtures.ts";

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
    key: signer.publicKey,
    nonce,
    version: NOW,
    expires: NOW + 3_600_000,
    ...changes,
  }, signer);
}

/** Who asks, where it does not matter. */
const IP = "127.0.0.1";
const ALL = { prefix: "", after: "", limit: 1_000 };
const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

function names(state: RegistryState, now = NOW, range: Partial<typeof ALL> = {}): string[] {
  return state.list({ ...ALL, ...range }, now).groups.map(({ name }) => name);
}

test("registry: a lease is live up to 5 s after its renewal, quiet up to 30 s, then gone", () => {
  const state = new RegistryState();
  assert.equal(state.register(record(), IP, NOW), "taken");
  const at = (ms: number) => state.resolve("Lab", NOW + ms)?.state;
  assert.equal(at(0), "live");
  assert.equal(at(5_000), "live");
  assert.equal(at(5_001), "quiet");
  assert.equal(at(30_000), "quiet");
  assert.equal(at(30_001), undefined);
  assert.equal(state.size, 0);
});

test("registry: a lease that is renewed keeps no other from ending", () => {
  const state = new RegistryState();
  for (const name of ["Lab", "Next"]) state.register(record({ name }), IP, NOW);
  state.register(record(), IP, NOW + 20_000);
  state.sweep(NOW + 30_001);
  assert.equal(state.size, 1);
});

test("registry: a renewal makes a quiet lease live", () => {
  const state = new RegistryState();
  state.register(record(), IP, NOW);
  assert.equal(state.register(record(), IP, NOW + 20_000), "renewed");
  assert.equal(state.resolve("Lab", NOW + 25_000)?.state, "live");
  assert.equal(state.resolve("Lab", NOW + 50_000)?.state, "quiet");
});

test("registry: a listing is found by name, id and address", () => {
  const state = new RegistryState();
  const lab = record();
  state.register(lab, IP, NOW);
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
  state.register(record(), IP, NOW);
  state.register(record({ name: "Next" }, other), IP, NOW + 10_000);
  assert.equal(state.resolve("127.0.0.1:5560", NOW + 10_000)?.name, "Next");
  state.register(record(), IP, NOW + 11_000);
  assert.equal(state.resolve("127.0.0.1:5560", NOW + 11_000)?.name, "Lab");
});

test("registry: a name belongs to the first key, also when its lease is gone", () => {
  const state = new RegistryState();
  state.register(record(), IP, NOW);
  const thief = record({ version: NOW + 9 }, other);
  assert.throws(() => state.register(thief, IP, NOW), refused("name_taken"));
  assert.throws(() => state.register(thief, IP, NOW + 60_000), refused("name_taken"));
});

test("registry: a name of an earlier run belongs to its key", () => {
  const state = new RegistryState();
  state.restore({ name: "Lab", key: key.publicKey, seen: NOW });
  state.restore({ name: "Lab", key: other.publicKey, seen: NOW });
  assert.throws(() => state.register(record({}, other), IP, NOW), refused("name_taken"));
  assert.equal(state.register(record(), IP, NOW), "moved");
});

test("registry: the same group at another address replaces its lease", () => {
  const state = new RegistryState();
  state.register(record(), IP, NOW);
  const moved = record({ address: "127.0.0.1:6000", version: NOW + 1 });
  assert.equal(state.register(moved, IP, NOW + 1), "moved");
  assert.deepEqual(state.list(ALL, NOW + 1).groups.map(({ address }) => address), [
    "127.0.0.1:6000",
  ]);
  assert.equal(state.resolve("127.0.0.1:5560", NOW + 1), undefined);
});

test("registry: an older or equal version never comes back", () => {
  const state = new RegistryState();
  const old = record();
  state.register(old, IP, NOW);
  state.register(record({ version: NOW + 5, address: "127.0.0.1:6000" }), IP, NOW);
  assert.throws(() => state.register(old, IP, NOW), refused("stale_record"));
  assert.throws(
    () => state.register(record({ version: NOW + 5 }), IP, NOW),
    refused("stale_record"),
  );
  assert.throws(() => state.register(old, IP, NOW + 40_000), refused("stale_record"));
});

test("registry: a record that does not verify is refused, a renewal too", () => {
  const state = new RegistryState();
  const lab = record();
  const forged = { ...lab, address: "127.0.0.1:6666" };
  assert.throws(() => state.register(forged, IP, NOW), refused("bad_signature"));
  state.register(lab, IP, NOW);
  assert.throws(() => state.register(forged, IP, NOW), refused("bad_signature"));
  assert.equal(state.resolve("Lab", NOW)?.address, lab.address);
});

test("registry: a record that expired or lives too long is refused, with 5 min of slack", () => {
  const slack = 300_000;
  const take = (expires: number) => new RegistryState().register(record({ expires }), IP, NOW);
  assert.equal(take(NOW - slack + 1), "taken");
  assert.throws(() => take(NOW - slack), refused("stale_record"));
  assert.equal(take(NOW + 3_600_000 + slack), "taken");
  assert.throws(() => take(NOW + 3_600_001 + slack), refused("stale_record"));
});

test("registry: a lease is taken back by its id, not by an older version", () => {
  const state = new RegistryState();
  const lab = record();
  state.register(lab, IP, NOW);
  assert.equal(state.unregister(lab.id, lab.version - 1), undefined);
  assert.equal(state.unregister("other", lab.version), undefined);
  assert.deepEqual(names(state), ["Lab"]);
  assert.deepEqual(state.unregister(lab.id, lab.version), lab);
  assert.deepEqual(names(state), []);
  assert.throws(() => state.register(lab, IP, NOW), refused("stale_record"));
});

test("registry: a list is in the order of names, page after page, each once", () => {
  const state = new RegistryState({ namesPerKey: 1_000 });
  const all = ["L", "Lab", "Lab 1", "Lab 2", "Lab 3", "M", "a", "É", "漢", "😀"].sort();
  for (const name of all.toReversed()) state.register(record({ name }), IP, NOW);
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
    state.register(record({ name, address: long }), IP, NOW);
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
  state.register(record({ name: "A" }), IP, NOW);
  state.register(record({ name: "B" }), IP, NOW);
  assert.throws(() => state.register(record({ name: "C" }), IP, NOW), refused("busy"));
  state.registerKeyless("K", "127.0.0.1:1", IP, NOW);
  assert.throws(() => state.registerKeyless("K2", "127.0.0.1:2", IP, NOW), refused("busy"));
  assert.throws(() => state.register(record({ name: "C" }, other), IP, NOW), refused("busy"));
  assert.equal(state.register(record({ name: "A" }), IP, NOW), "renewed");
});

test("registry: a group without a key is kept for ever, quiet when nothing listens there", () => {
  const state = new RegistryState();
  state.registerKeyless("Old", "127.0.0.1:5560", IP, NOW);
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
  state.registerKeyless("Old", "127.0.0.1:5560", IP, NOW);
  state.registerKeyless("New", "127.0.0.1:5560", IP, NOW);
  assert.deepEqual(names(state), ["New"]);
  state.register(record(), IP, NOW);
  assert.deepEqual(names(state), ["Lab"]);
});

test("registry: a group without a key registers again, and moves only when it is not reachable", () => {
  const state = new RegistryState();
  state.registerKeyless("Old", "127.0.0.1:1", IP, NOW);
  state.registerKeyless("Old", "127.0.0.1:1", IP, NOW);
  assert.throws(() => state.registerKeyless("Old", "127.0.0.1:2", IP, NOW), refused("name_taken"));
  state.probed("Old", "127.0.0.1:1", false);
  state.registerKeyless("Old", "127.0.0.1:2", IP, NOW);
  assert.equal(state.resolve("Old", NOW)?.address, "127.0.0.1:2");
});

test("registry: a group without a key takes neither a key's name nor a live group's address", () => {
  const state = new RegistryState();
  state.register(record(), IP, NOW);
  assert.throws(() => state.registerKeyless("Lab", "127.0.0.1:1", IP, NOW), refused("name_taken"));
  assert.throws(
    () => state.registerKeyless("X", "127.0.0.1:5560", IP, NOW),
    refused("address_taken"),
  );
  assert.throws(
    () => state.registerKeyless("Lab", "127.0.0.1:1", IP, NOW + 60_000),
    refused("name_taken"),
  );
  state.registerKeyless("X", "127.0.0.1:5560", IP, NOW + 6_000);
  assert.deepEqual(state.probes().map(({ name }) => name), ["X"]);
});

test("registry: a key takes the name of a group without one", () => {
  const state = new RegistryState();
  state.registerKeyless("Lab", "127.0.0.1:1", IP, NOW);
  state.register(record(), IP, NOW);
  assert.equal(state.resolve("Lab", NOW)?.record?.key, key.publicKey);
  assert.equal(state.size, 1);
});

test("registry: leases of one IP and names in all are bounded, and room comes back", () => {
  const state = new RegistryState({ perIp: 2, names: 4 });
  // Where a group says that it is counts for nothing.
  const from = (ip: string, name: string, version = NOW) =>
    state.register(record({ name, version, address: "10.9.9.9:1" }), ip, NOW);
  from("10.0.0.1", "a");
  from("10.0.0.1", "b");
  assert.throws(() => from("10.0.0.1", "c"), refused("busy"));
  assert.throws(() => from("::ffff:10.0.0.1", "c"), refused("busy"));
  assert.throws(
    () => state.registerKeyless("c", "10.0.0.1:2", "10.0.0.1", NOW),
    refused("busy"),
  );
  from("10.0.0.2", "c");
  assert.throws(() => from("10.0.0.1", "c", NOW + 1), refused("busy"));
  assert.equal(from("10.0.0.2", "a", NOW + 1), "moved");
  assert.equal(from("10.0.0.1", "c", NOW + 1), "moved");
  from("10.0.0.3", "d");
  assert.throws(() => from("10.0.0.3", "e"), refused("busy"));
});

test("registry: whoever has one IPv6 address is counted with all of its network", () => {
  const state = new RegistryState({ perIp: 2 });
  state.register(record({ name: "a" }), "2001:db8:0:1::1", NOW);
  state.register(record({ name: "b" }), "2001:db8:0:1:ffff:ffff:ffff:ffff", NOW);
  assert.throws(
    () => state.register(record({ name: "c" }), "2001:db8::1:a:0:0:1", NOW),
    refused("busy"),
  );
  assert.equal(state.register(record({ name: "c" }), "2001:db8:0:2::1", NOW), "taken");
});

test("registry: a group without a key is tried only at the IP it comes from", () => {
  const state = new RegistryState();
  state.registerKeyless("Own", "127.0.0.2:1", "127.0.0.2", NOW);
  state.registerKeyless("Mapped", "127.0.0.2:2", "::ffff:127.0.0.2", NOW);
  state.registerKeyless("Six", "[fe80::1]:1", "fe80::1", NOW);
  state.registerKeyless("Other", "127.0.0.3:1", "127.0.0.2", NOW);
  state.registerKeyless("Named", "localhost:1", "127.0.0.1", NOW);
  state.registerKeyless("Unknown", "127.0.0.4:1", "", NOW);
  assert.deepEqual(state.probes().map(({ name }) => name), ["Own", "Mapped", "Six"]);
  // The others are believed for half a minute.
  for (const name of ["Other", "Named", "Unknown"]) {
    assert.equal(state.resolve(name, NOW + 30_000)?.state, "live");
    assert.equal(state.resolve(name, NOW + 30_001)?.state, "quiet");
  }
  assert.equal(state.resolve("Own", NOW + 30_001)?.state, "live");
});

test("registry: nobody from elsewhere ends a group without a key that is where it says", () => {
  const state = new RegistryState();
  const address = "127.0.0.2:1";
  state.registerKeyless("Old", address, "127.0.0.2", NOW);
  assert.throws(
    () => state.registerKeyless("Thief", address, "127.0.0.3", NOW),
    refused("address_taken"),
  );
  // Its word again, from elsewhere, does not make it one that is not tried.
  state.registerKeyless("Old", address, "127.0.0.3", NOW);
  assert.deepEqual(state.probes().map(({ name }) => name), ["Old"]);
  state.register(record({ address }), "127.0.0.3", NOW);
  assert.deepEqual(names(state), ["Lab", "Old"]);
  state.register(record({ address, name: "Next" }), "127.0.0.2", NOW);
  assert.deepEqual(names(state), ["Lab", "Next"]);
});

test("registry: of groups without a key a quiet one makes room", () => {
  const state = new RegistryState({ keyless: 2 });
  state.registerKeyless("a", "10.0.0.1:1", IP, NOW);
  state.registerKeyless("b", "127.0.0.1:2", IP, NOW);
  assert.throws(() => state.registerKeyless("c", "127.0.0.1:3", IP, NOW), refused("busy"));
  state.registerKeyless("c", "127.0.0.1:3", IP, NOW + 30_001);
  assert.deepEqual(names(state, NOW + 30_001), ["b", "c"]);
});

test("registry: a record from ahead of the date is refused", () => {
  const take = (version: number) => new RegistryState().register(record({ version }), IP, NOW);
  assert.equal(take(NOW + 300_000), "taken");
  assert.throws(() => take(NOW + 300_001), refused("stale_record"));
  assert.throws(() => take(2 ** 53 - 1), refused("stale_record"));
});

test("registry: a version seen before the clock was put back holds nobody up", () => {
  const state = new RegistryState();
  state.register(record({ version: NOW }), IP, NOW, NOW);
  const back = NOW - 86_400_000;
  const next = record({ version: back, expires: back + 3_600_000 });
  assert.equal(state.register(next, IP, NOW + 1, back), "moved");
});

test("registry: a lease from ahead of the date is renewed no more when the clock was put back", () => {
  const state = new RegistryState();
  state.register(record(), IP, NOW, NOW);
  const back = NOW - 86_400_000;
  assert.throws(() => state.register(record(), IP, NOW + 1, back), refused("stale_record"));
});

test("registry: what could not be kept is as if nobody had asked", () => {
  const state = new RegistryState();
  state.register(record(), IP, NOW);
  state.release("Lab");
  assert.equal(state.isTaken("Lab"), false);
  assert.equal(state.resolve("Lab", NOW), undefined);
  assert.equal(state.register(record({}, other), IP, NOW), "taken");
});

const DAY = 86_400_000;
const HOUR = 3_600_000;

test("registry: a name is free a year and a day after it was seen, and an hour after the start", () => {
  const state = new RegistryState();
  state.restore({ name: "Old", key: key.publicKey, seen: NOW - 366 * DAY - 1 });
  state.restore({ name: "Kept", key: key.publicKey, seen: NOW - 365 * DAY });
  assert.deepEqual(state.freeNames(0, NOW), []);
  assert.deepEqual(state.freeNames(HOUR - 1, NOW + HOUR - 1), []);
  assert.deepEqual(state.freeNames(HOUR, NOW + HOUR), ["Old"]);
  assert.deepEqual(state.freeNames(HOUR, NOW + HOUR), []);
  const mine = record({ name: "Old" }, other);
  assert.equal(state.register(mine, IP, HOUR, NOW), "taken");
});

test("registry: a date that jumps frees no name of a group that is there", () => {
  const state = new RegistryState();
  state.register(record(), IP, 0, NOW);
  assert.deepEqual(state.freeNames(0, NOW), []);
  const ahead = 800 * DAY;
  assert.deepEqual(state.freeNames(2 * HOUR, NOW + ahead), []);
  // Within the hour its record of that date comes.
  const later = record({ version: NOW + ahead, expires: NOW + ahead + HOUR });
  assert.equal(state.register(later, IP, 2 * HOUR, NOW + ahead), "moved");
  assert.deepEqual(state.freeNames(4 * HOUR, NOW + ahead + 2 * HOUR), []);
  assert.equal(state.isTaken("Lab"), true);
});

test("registry: a name's date is to be written at most once a day", () => {
  const state = new RegistryState();
  const at = (ms: number) => {
    const fresh = record({ version: NOW + ms, expires: NOW + ms + HOUR });
    state.register(fresh, IP, ms, NOW + ms);
    return state.movedNames().map(({ name, seen }) => [name, seen - NOW]);
  };
  assert.deepEqual(at(0), []);
  assert.deepEqual(at(DAY - 1), []);
  assert.deepEqual(at(DAY), [["Lab", DAY]]);
  assert.deepEqual(at(DAY + HOUR), []);
  assert.deepEqual(at(2 * DAY + 5), [["Lab", 2 * DAY + 5]]);
});

test("registry: a list of many, changed at random, is what a sorted list would be", () => {
  const random = randomFrom(7);
  const sorted = new SortedList();
  const wanted = new Set<string>();
  for (let i = 0; i < 20_000; i++) {
    const name = `g${Math.floor(random() * 5_000)}`;
    if (wanted.delete(name)) sorted.delete(name);
    else {
      wanted.add(name);
      sorted.add(name);
    }
    if (i % 1_000 !== 0) continue;
    const all = [...wanted].sort();
    assert.deepEqual([...sorted.after("")], all);
    const [after, prefix] = [`g${i % 97}`, `g${i % 7}`];
    assert.deepEqual([...sorted.after(after)], all.filter((n) => n > after));
    assert.deepEqual(
      [...sorted.after(after, prefix)],
      all.filter((n) => n.startsWith(prefix) && n > after),
    );
  }
  for (const name of wanted) sorted.delete(name);
  assert.deepEqual([...sorted.after("")], []);
});

/** The shortest of some runs, ms. */
function quickest(runs: number, work: () => void): number {
  return Math.min(...Array.from({ length: runs }, () => {
    const begin = performance.now();
    work();
    return performance.now() - begin;
  }));
}

test("registry: no request costs more when 3,000 groups and 50,000 names are held", () => {
  const small = new RegistryState({ perIp: 100_000, namesPerKey: 100_000 });
  const large = new RegistryState({ perIp: 100_000, namesPerKey: 100_000 });
  small.register(record(), IP, NOW);
  large.register(record(), IP, NOW);
  for (let i = 0; i < 50_000; i++) {
    large.restore({ name: `Name ${i}`, key: `${i}`, seen: NOW });
  }
  for (let i = 0; i < 3_000; i++) {
    const mine = record({ name: `Group ${i}`, address: `127.0.0.1:${1_000 + i}` });
    large.register(mine, IP, NOW);
  }
  const { id, version, address } = record();
  const work = (state: RegistryState) => () => {
    for (let i = 0; i < 2_000; i++) {
      state.recordOf(id);
      state.unregister(id, version - 1);
      state.resolve(address, NOW);
      state.resolve("nobody", NOW);
      state.sweep(NOW);
    }
  };
  work(small)(); // Both at the speed of compiled code.
  work(large)();
  const [few, many] = [quickest(5, work(small)), quickest(5, work(large))];
  assert.ok(many < 10 * few + 5, `${many.toFixed(2)} ms with many, ${few.toFixed(2)} ms with one`);
});

/** What a state says of its groups without a key since it was asked last: `+` begun, `-` ended. */
function moved(state: RegistryState): string[] {
  const { begun, ended } = state.movedPlaces();
  return [...begun.map(({ name, address }) => `+${name} ${address}`), ...ended.map((n) => `-${n}`)];
}

test("registry: each change of groups without a key is told once, and a repetition is none", () => {
  const state = new RegistryState({ keyless: 2 });
  const keyless = (name: string, port: number, ip = IP) =>
    state.registerKeyless(name, `127.0.0.1:${port}`, ip, NOW);
  keyless("a", 1);
  assert.deepEqual(moved(state), ["+a 127.0.0.1:1"]);
  keyless("a", 1);
  assert.deepEqual(moved(state), []);
  keyless("b", 1);
  assert.deepEqual(moved(state), ["+b 127.0.0.1:1", "-a"]);
  keyless("c", 2);
  state.probed("b", "127.0.0.1:1", false);
  keyless("d", 3);
  assert.deepEqual(moved(state), ["+c 127.0.0.1:2", "+d 127.0.0.1:3", "-b"]);
  state.register(record({ name: "d", address: "127.0.0.1:9" }), IP, NOW);
  state.register(record({ name: "e", address: "127.0.0.1:2" }), IP, NOW);
  assert.deepEqual(moved(state), ["-d", "-c"]);
  state.register(record({ name: "e", address: "127.0.0.1:2" }), IP, NOW);
  assert.deepEqual(moved(state), []);
});

test("registry: groups without a key come back as they were, of too many the newest", () => {
  const state = new RegistryState({ keyless: 3 });
  state.restore({ name: "taken", key: key.publicKey, seen: NOW });
  const place = (name: string, port: number, probed = true) => ({
    ...{ name, address: `127.0.0.1:${port}`, origin: "127.0.0.1", probed },
  });
  state.restorePlaces([place("old", 1), place("a", 2), place("taken", 3), place("far", 4, false)]);
  assert.deepEqual(names(state), ["a", "far"]);
  assert.deepEqual(moved(state), []);
  assert.deepEqual(state.probes().map(({ name }) => name), ["a"]);
  assert.equal(state.resolve("far", NOW)?.state, "quiet");
  // It holds its address until a look says that nobody is there.
  assert.throws(
    () => state.registerKeyless("thief", "127.0.0.1:2", "10.0.0.1", NOW),
    refused("address_taken"),
  );
  state.probed("a", "127.0.0.1:2", false);
  assert.equal(state.resolve("a", NOW)?.state, "quiet");
  state.registerKeyless("next", "127.0.0.1:2", "10.0.0.1", NOW);
  assert.deepEqual(names(state), ["far", "next"]);
});

test("registry: a dialect hears of the groups that speak dialects, whoever repeats their records", () => {
  const state = new RegistryState();
  const heard = () =>
    state.list({ prefix: "", after: "", limit: 2, plain: true }, NOW).groups.map(({ name }) =>
      name
    );
  const register = (name: string, plain: boolean, version = NOW) =>
    state.register(record({ name, version }), IP, NOW, NOW, plain);
  for (const name of ["a", "b", "c", "d"]) register(name, name === "d");
  state.registerKeyless("k", "127.0.0.1:1", IP, NOW);
  assert.deepEqual(heard(), ["d", "k"]);
  assert.deepEqual(names(state), ["a", "b", "c", "d", "k"]);
  register("d", false);
  assert.deepEqual(heard(), ["d", "k"], "who repeats a record takes nothing back");
  register("c", true);
  assert.deepEqual(heard(), ["c", "d"]);
  register("c", false, NOW + 1);
  assert.deepEqual(heard(), ["d", "k"], "a new record says it anew");
  state.unregister(state.resolve("d", NOW)!.record!.id, NOW);
  assert.deepEqual(heard(), ["k"]);
});
