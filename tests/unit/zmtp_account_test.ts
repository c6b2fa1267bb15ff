import assert from "node:assert/strict";
import { test } from "node:test";
import { Bucket } from "../../lib/structures/buckets.ts";
import { networkOf, plainIp } from "../../lib/text/addresses.ts";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import { Totals } from "../../lib/transport/totals.ts";
import { Account } from "../../lib/transport/zmtp/account.ts";
import { Gate, type Origin } from "../../lib/transport/zmtp/gate.ts";
import { Pulse, type Vitals } from "../../lib/transport/zmtp/pulse.ts";

const BOUNDS = {
  ...DEFAULT_BOUNDS,
  stranger: { ...DEFAULT_BOUNDS.stranger, rate: 10, bytes: 1_000, requests: 2, message: 100 },
  known: { ...DEFAULT_BOUNDS.known, rate: 1_000, bytes: 100_000, out: 1_000, requests: 3 },
  connections: 10,
  strangers: 6,
  strangersPerIp: 3,
  connectsPerIp: 2,
};

test("account: a bucket gives its rate, and a burst of twice that", () => {
  const bucket = new Bucket(10, 0);
  const taken = (now: number) => {
    let count = 0;
    for (; !bucket.empty(now); count++) bucket.take(1, now);
    return count;
  };
  assert.equal(taken(0), 21); // the last one is owed
  assert.equal(taken(90), 0);
  assert.equal(taken(1_100), 11);
  assert.equal(taken(1_000_000), 21);
});

test("account: a debt is waited for", () => {
  const bucket = new Bucket(1_000, 0);
  bucket.take(7_000, 0);
  assert.ok(bucket.empty(4_999));
  assert.ok(!bucket.empty(5_000));
});

test("account: a clock that goes back takes nothing away for ever", () => {
  const bucket = new Bucket(10, 10_000);
  bucket.take(20, 10_000);
  assert.ok(!bucket.empty(5_000));
  assert.ok(!bucket.empty(20_000));
});

test("account: says why a peer is not read from", () => {
  const account = new Account(new Totals(), BOUNDS, 0);
  const { out } = BOUNDS.stranger;
  assert.equal(account.pause(out / 2, 0), undefined);
  assert.equal(account.pause(out / 2 + 1, 0), "slow reader");
  for (let n = 0; n < 21; n++) account.asked(0);
  assert.equal(account.pause(0, 0), "flood");
  assert.equal(account.pause(0, 200), undefined);
  account.arrived(5_000, 200);
  assert.equal(account.pause(0, 2_000), "flood");
  assert.equal(account.pause(0, 5_000), undefined);
  account.begin(1);
  account.begin(1);
  assert.equal(account.pause(0, 5_000), "too many requests");
  account.end();
  assert.equal(account.pause(0, 5_000), undefined);
  account.begin(401);
  account.end();
  account.begin(400);
  assert.equal(account.pause(0, 5_000), "too many requests");
});

test("account: one that is admitted has the bounds of the known, and full buckets", () => {
  const account = new Account(new Totals(), BOUNDS, 0);
  account.arrived(100_000, 0);
  assert.equal(account.pause(0, 0), "flood");
  account.admit(0);
  assert.equal(account.pause(0, 0), undefined);
  assert.equal(account.pause(501, 0), "slow reader");
});

test("account: what all hold is the sum, and goes to nothing", () => {
  const totals = new Totals();
  const accounts = [1, 2, 3].map(() => new Account(totals, BOUNDS, 0));
  accounts[0].settle(10);
  accounts[1].settle(20);
  accounts[2].begin(7);
  accounts[2].begin(4);
  accounts[2].settle(0);
  assert.equal(totals.held, 41);
  accounts[2].end();
  accounts[2].settle(0);
  assert.equal(totals.held, 36); // one of two requests holds half of the bytes
  accounts[2].end();
  accounts[2].end(); // one too many
  accounts[2].settle(0);
  accounts[0].settle(5);
  for (const account of accounts) account.close();
  assert.equal(totals.held, 0);
  assert.equal(totals.most, 41);
});

test("account: reasons are counted, of endlessly many the first", () => {
  const totals = new Totals();
  for (let n = 0; n < 1_000; n++) totals.count(`reason ${n}`);
  totals.count("reason 1");
  assert.equal(totals.counts.get("reason 1"), 2);
  assert.ok(totals.counts.size < 200);
  assert.ok(totals.counts.get("other")! > 800);
});

/** Lets one in that must be let in. */
function enter(gate: Gate, ip: string, now: number): Origin {
  const origin = gate.enter(ip, now);
  assert.ok(typeof origin === "object", String(origin));
  return origin;
}

test("gate: connections of one address, strangers of it, strangers of all, and all are bounded", () => {
  const totals = new Totals();
  const gate = new Gate(BOUNDS, totals);
  const first = [0, 1, 2].map(() => enter(gate, "10.0.0.1", 0));
  assert.equal(gate.enter("10.0.0.1", 0), "too many strangers of one address");
  const others = [0, 1, 2].map((n) => enter(gate, `10.0.1.${n}`, 0));
  assert.equal(gate.enter("10.0.0.2", 0), "too many strangers");
  for (const origin of [...first, ...others]) gate.admit(origin);
  for (let n = 0; n < 4; n++) gate.admit(enter(gate, `10.0.2.${n}`, 0));
  assert.equal(gate.enter("10.0.0.3", 0), "too many connections");
  assert.deepEqual([totals.connections, totals.strangers], [10, 0]);
  gate.leave(first[0], true, 0);
  assert.equal(enter(gate, "10.0.0.4", 0).connections, 1);
});

test("gate: one address has no more than its part, admitted or not, and leaves the rest to others", () => {
  const gate = new Gate({ ...BOUNDS, connectionsPerIp: 4 }, new Totals());
  const own = [0, 1, 2, 3].map((n) => {
    const origin = enter(gate, `2001:db8::${n}`, 0);
    gate.admit(origin);
    return origin;
  });
  assert.equal(gate.enter("2001:db8::99", 0), "too many connections of one address");
  for (let n = 0; n < 6; n++) gate.admit(enter(gate, `10.0.0.${n}`, 0));
  gate.leave(own[0], true, 0);
  enter(gate, "2001:db8::99", 0);
});

test("gate: one address connects no more often than it may", () => {
  const gate = new Gate(BOUNDS, new Totals());
  const tries = (now: number) => {
    let count = 0;
    for (let n = 0; n < 20; n++) {
      const origin = gate.enter("10.0.0.1", now);
      if (typeof origin === "string") continue;
      gate.leave(origin, false, now);
      count++;
    }
    return count;
  };
  assert.equal(tries(0), 9);
  assert.equal(tries(400), 0);
  assert.equal(tries(1_500), 3);
  assert.equal(tries(100_000), 9);
  assert.equal(typeof gate.enter("10.0.0.2", 0), "object");
});

test("gate: how often an address connected is remembered beside 8,192 others", () => {
  const gate = new Gate(BOUNDS, new Totals());
  const visit = (ip: string) => gate.leave(enter(gate, ip, 0), false, 0);
  for (let n = 0; n < 9; n++) visit("10.0.0.1");
  for (let n = 0; n < 8_192; n++) visit(`10.1.${n >> 8}.${n & 255}`);
  assert.equal(gate.enter("10.0.0.1", 0), "connects too often");
});

test("gate: of IPv6 64 bits are one address, and IPv4 inside IPv6 is IPv4", () => {
  const same = ["2001:db8::1", "2001:db8:0:0:1::", "2001:DB8:0::ffff:1:2"].map(networkOf);
  assert.deepEqual(same, Array(3).fill("2001:db8:0:0::/64"));
  assert.equal(networkOf("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(networkOf("::1"), "0:0:0:0::/64");
  assert.equal(networkOf("1:2:3:4:5:6:7:8"), "1:2:3:4::/64");
  assert.notEqual(networkOf("2001:db8:0:1::1"), same[0]);
  assert.equal(networkOf(plainIp("::ffff:10.0.0.1")), "10.0.0.1");
  assert.equal(networkOf(""), "");
});

test("gate: addresses that left are forgotten, and 100,000 of them are no burden", () => {
  const totals = new Totals();
  const gate = new Gate(BOUNDS, totals);
  const stays = enter(gate, "192.0.2.1", 0);
  for (let n = 0; n < 100_000; n++) {
    const origin = enter(gate, `10.${n >> 16}.${n >> 8 & 255}.${n & 255}`, 1);
    gate.leave(origin, false, 1);
  }
  assert.ok(gate.size < 20_000, `${gate.size} are remembered`);
  for (let second = 10; second < 5_000; second++) {
    gate.leave(enter(gate, "10.0.0.1", second * 1_000), false, second * 1_000);
  }
  assert.ok(gate.size <= 3, `${gate.size} are remembered`);
  gate.leave(stays, false, 5_000_000);
  assert.deepEqual([totals.connections, totals.strangers], [0, 0]);
});

const ALIVE: Vitals = {
  waiting: 0,
  written: 0,
  paused: undefined,
  served: false,
  open: true,
  pings: true,
};

/** What a pulse says, second by second, until it cuts. */
function seconds(pulse: Pulse, vitals: Vitals | ((second: number) => Vitals), most = 500) {
  const said: string[] = [];
  for (let second = 1; second <= most; second++) {
    const verdict = pulse.tick(typeof vitals === "function" ? vitals(second) : vitals);
    if (verdict === "ping") said.push(`${second} ping`);
    else if (verdict) return [...said, `${second} ${verdict.cut}`];
  }
  return said;
}

function known(): Pulse {
  const pulse = new Pulse(5_000);
  pulse.admitted = true;
  return pulse;
}

test("pulse: a silent peer is pinged, then cut; one that knows no PING is left alone", () => {
  assert.deepEqual(seconds(known(), ALIVE), ["8 ping", "12 ping", "21 silent"]);
  assert.deepEqual(seconds(known(), { ...ALIVE, pings: false }), []);
  const pulse = known();
  assert.deepEqual(seconds(pulse, ALIVE, 14), ["8 ping", "12 ping"]);
  pulse.heard(0);
  assert.deepEqual(seconds(pulse, ALIVE, 14), ["8 ping", "12 ping"]);
});

test("pulse: a stranger has so long, whatever it says", () => {
  const pulse = new Pulse(5_000);
  assert.deepEqual(seconds(pulse, { ...ALIVE, open: false }), ["6 no handshake in time"]);
  const open = new Pulse(5_000);
  const talks = () => {
    open.heard(0);
    return ALIVE;
  };
  assert.deepEqual(seconds(open, talks), ["6 not admitted in time"]);
});

test("pulse: a stranger that waits for us has its time afterwards, and no more than six times it", () => {
  const heard = (pulse: Pulse, served: (second: number) => boolean) =>
    seconds(pulse, (second) => {
      pulse.heard(0);
      return { ...ALIVE, served: served(second) };
    });
  assert.deepEqual(heard(new Pulse(5_000), (n) => n > 3 && n <= 13), ["16 not admitted in time"]);
  assert.deepEqual(heard(new Pulse(5_000), () => true), ["31 not admitted in time"]);
});

test("pulse: who reads nothing is cut, on a slow line later", () => {
  const stuck = { ...ALIVE, pings: false, waiting: 1_000, written: 2_000 };
  assert.deepEqual(seconds(known(), stuck), ["17 does not read"]);
  const more = { ...stuck, waiting: 20 * 65_536, written: 40 * 65_536 };
  assert.deepEqual(seconds(known(), more), ["37 does not read"]);
  const slow = (second: number) => ({ ...more, waiting: more.waiting - second });
  assert.deepEqual(seconds(known(), slow), []);
});

test("pulse: what is on its way to a peer is waited for before it is silent", () => {
  const pulse = known();
  pulse.heard(1_000);
  const pings = ["8 ping", "12 ping"];
  assert.deepEqual(seconds(pulse, { ...ALIVE, written: 1_000 + 10 * 65_536 }), [
    ...pings,
    "31 silent",
  ]);
});

test("pulse: who is not read from is not silent, and requests may take a minute", () => {
  assert.deepEqual(seconds(known(), { ...ALIVE, paused: "flood" }), []);
  assert.deepEqual(seconds(known(), { ...ALIVE, paused: "too many requests" }), [
    "61 requests do not end",
  ]);
});
