import assert from "node:assert/strict";
import { test } from "node:test";
import { FairQueue, Share } from "../../lib/session/budget.ts";
import { Handshakes } from "../../lib/session/handshakes.ts";
import { Buckets } from "../../lib/structures/buckets.ts";
import { ticketBytes, Tickets } from "../../lib/session/ticket.ts";
import { until } from "../support.ts";

const USER = "2f1b8a44-7c11-8d3e-9a5b-0123456789ab";

test("a share gives no more than its part of the time, and what it saved", () => {
  const share = new Share(0.2, 0);
  let spent = 0;
  for (let now = 0; now < 10_000; now++) {
    if (share.wait(now) > 0) continue;
    share.spend(3);
    spent += 3;
  }
  assert.ok(spent >= 2_000 && spent <= 2_000 + 100 + 3, String(spent));
});

test("a share saves no more than a rush, however long nothing is spent", () => {
  const share = new Share(0.2, 0);
  assert.equal(share.wait(1_000_000), 0);
  share.spend(150);
  const wait = share.wait(1_000_000);
  assert.ok(wait >= 250 && wait <= 252, String(wait));
});

test("a share says when it may be spent again", () => {
  const share = new Share(0.2, 0);
  share.spend(120);
  const wait = share.wait(0);
  assert.ok(wait >= 100 && wait <= 102, String(wait));
  assert.ok(share.wait(wait - 2) > 0);
  assert.equal(share.wait(wait), 0);
});

test("a lane gives turns by IP, each IP in its own order", () => {
  const lane = new FairQueue<string>(10, 10);
  for (const item of ["a1", "a2", "a3", "b1", "c1", "b2"]) assert.ok(lane.add(item[0], item));
  const taken = Array.from({ length: 7 }, () => lane.take());
  assert.deepEqual(taken, ["a1", "b1", "c1", "a2", "b2", "a3", undefined]);
  assert.equal(lane.size, 0);
});

test("a lane has a bound in all and for each IP, and room where one went", () => {
  const lane = new FairQueue<number>(5, 3);
  assert.deepEqual([1, 2, 3, 4].map((n) => lane.add("a", n)), [true, true, true, false]);
  assert.deepEqual([5, 6, 7].map((n) => lane.add("b", n)), [true, true, false]);
  lane.delete("a", 2);
  lane.delete("a", 2);
  lane.delete("c", 1);
  assert.equal(lane.size, 4);
  assert.ok(lane.add("b", 8));
  const taken = Array.from({ length: 6 }, () => lane.take());
  assert.deepEqual(taken, [1, 5, 3, 6, 8, undefined]);
});

test("buckets hold for each alone, and for a bounded number of them", () => {
  const buckets = new Buckets(20, 20, 2);
  const often = (who: string, now: number) => {
    let times = 0;
    while (times < 100 && buckets.take(who, 1, now) === 0) times++;
    return times;
  };
  assert.equal(often("a", 0), 20);
  assert.equal(often("b", 0), 20);
  assert.equal(often("a", 500), 10);
  assert.equal(often("a", 60_000), 20);
  assert.equal(often("c", 60_000), 20);
  assert.equal(often("b", 60_000), 20);
});

/** Holds the loop, as a handshake does. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Who says hello; counts how many of its hellos wait. */
const waitsFor = new Map<string, number>();
const peer = (id: string, ip: string) => ({
  id,
  ip,
  begin: () => void waitsFor.set(id, (waitsFor.get(id) ?? 0) + 1),
  end: () => void waitsFor.set(id, waitsFor.get(id)! - 1),
});

function waiting(tickets: Tickets, ms: number) {
  const done: string[] = [];
  const busy: string[] = [];
  const counted: string[] = [];
  const handshakes = new Handshakes<ReturnType<typeof peer>>({
    tickets,
    run: ({ peer }) => {
      work(ms);
      done.push(peer.id);
    },
    busy: ({ id }) => void busy.push(id),
    count: (what) => void counted.push(what),
  });
  return { handshakes, done, busy, counted };
}

const hello = (ticket?: string) => Uint8Array.from([...new Uint8Array(32), ...ticketOf(ticket)]);
const ticketOf = (ticket?: string) => ticketBytes(ticket) ?? new Uint8Array(0);

test("handshakes of strangers take a fifth of the time; who has a ticket does not wait for them", async () => {
  const tickets = new Tickets("secret");
  const { handshakes, done } = waiting(tickets, 5);
  try {
    const began = performance.now();
    for (let i = 0; i < 400; i++) handshakes.add(peer(`s${i}`, `10.0.0.${i}`), hello());
    await until(() => done.length >= 40, 5_000, "forty strangers");
    const spent = 5 * done.length;
    const allowed = 0.2 * (performance.now() - began) + 100 + 10;
    assert.ok(spent <= allowed, `${spent} ms of ${allowed}`);

    const before = done.length;
    handshakes.add(peer("member", "10.0.0.1"), hello(tickets.issue(USER)));
    await until(() => done.includes("member"), 5_000, "the member");
    assert.ok(done.indexOf("member") - before <= 1, "strangers came first");
  } finally {
    handshakes.close();
  }
});

test("handshakes that find no room are put off, and those of who went cost nothing", async () => {
  const { handshakes, done, busy } = waiting(new Tickets("secret"), 0);
  try {
    for (let i = 0; i < 600; i++) handshakes.add(peer(`a${i}`, "10.0.0.1"), hello());
    assert.equal(busy.length, 600 - 512);
    for (let i = 0; i < 512; i++) handshakes.add(peer(`b${i}`, "10.0.0.2"), hello());
    assert.equal(busy.length, 600 - 512);
    handshakes.add(peer("c", "10.0.0.3"), hello());
    assert.deepEqual(busy.slice(-1), ["c"]);
    for (let i = 0; i < 512; i++) handshakes.drop(peer(`a${i}`, "10.0.0.1"));
    handshakes.add(peer("d", "10.0.0.3"), hello());
    await until(() => done.includes("d"), 5_000, "the one that found room");
    await until(() => done.length === 513, 5_000, "those that did not go");
    assert.ok(done.every((id) => id[0] !== "a"));
  } finally {
    handshakes.close();
  }
});

test("handshakes of one peer wait once, the last of them", async () => {
  const { handshakes, done } = waiting(new Tickets("secret"), 0);
  try {
    for (let i = 0; i < 100; i++) handshakes.add(peer("a", "10.0.0.1"), hello());
    assert.equal(waitsFor.get("a"), 1);
    handshakes.add(peer("b", "10.0.0.1"), hello());
    await until(() => done.includes("b"), 5_000, "the other peer");
    assert.deepEqual(done, ["a", "b"]);
    assert.equal(waitsFor.get("a"), 0);
  } finally {
    handshakes.close();
  }
});

test("handshakes with a ticket that is not good, or shown too often, wait with the strangers'", () => {
  const tickets = new Tickets("secret");
  const { handshakes, counted } = waiting(tickets, 0);
  try {
    handshakes.add(peer("x", "10.0.0.1"), hello(new Tickets("another").issue(USER)));
    assert.deepEqual(counted, ["handshake: its ticket is not good"]);
    const began = performance.now();
    for (let i = 0; i < 30; i++) {
      handshakes.add(peer(`m${i}`, "10.0.0.1"), hello(tickets.issue(USER)));
    }
    const often = counted.filter((what) => what === "handshake: too many with one ticket").length;
    const back = Math.ceil((performance.now() - began) / 50);
    assert.ok(often >= 10 - back && often <= 10, String(often));
  } finally {
    handshakes.close();
  }
});

test("handshakes look at one ticket of who showed one that is not good", async () => {
  const tickets = new Tickets("secret");
  const { handshakes, done, counted } = waiting(tickets, 0);
  try {
    const liar = peer("x", "10.0.0.1");
    for (let i = 1; i <= 3; i++) {
      handshakes.add(liar, hello(new Tickets("another").issue(USER)));
      await until(() => done.length === i, 5_000, "its handshake");
    }
    assert.deepEqual(counted, ["handshake: its ticket is not good"]);
  } finally {
    handshakes.close();
  }
});

test("handshakes of one peer are what the first of them was, and its ticket is looked at once", () => {
  const tickets = new Tickets("secret");
  const { handshakes, counted } = waiting(tickets, 0);
  const spent: string[] = [];
  handshakes.spend = (priority) => void spent.push(priority);
  try {
    for (let i = 0; i < 30; i++) {
      handshakes.add(peer("a", "10.0.0.1"), hello(tickets.issue(USER)));
    }
    assert.deepEqual(counted, []);
    assert.deepEqual(spent, ["strangers"], "looking at tickets takes of the strangers' time");
  } finally {
    handshakes.close();
  }
});

test("handshakes: time that others took counts little", async () => {
  const { handshakes, done } = waiting(new Tickets("secret"), 0);
  try {
    handshakes.spend("strangers", 60_000);
    handshakes.add(peer("a", "10.0.0.1"), hello());
    await until(() => done.length === 1, 5_000, "the handshake");
  } finally {
    handshakes.close();
  }
});

test("handshakes that waited too long are put off", async () => {
  const { handshakes, done, busy } = waiting(new Tickets("secret"), 0);
  try {
    handshakes.add(peer("old", "10.0.0.1"), hello());
    work(2_010);
    await until(() => busy.length + done.length === 1, 5_000, "its turn");
    assert.deepEqual([done, busy], [[], ["old"]]);
    assert.equal(waitsFor.get("old"), 0);
  } finally {
    handshakes.close();
  }
});

test("handshakes keep a hello as it came, and do none once they are closed", async () => {
  const messages: Uint8Array[] = [];
  const make = () =>
    new Handshakes({
      run: ({ message }) => void messages.push(message),
      busy: () => {},
      count: () => {},
    });
  const handshakes = make();
  const message = new Uint8Array(32).fill(1);
  handshakes.add(peer("a", "10.0.0.1"), message);
  message.fill(2);
  await until(() => messages.length === 1, 5_000, "the handshake");
  assert.deepEqual(new Set(messages[0]), new Set([1]));
  const closed = make();
  closed.add(peer("b", "10.0.0.1"), message);
  closed.close();
  const after = make();
  after.add(peer("c", "10.0.0.1"), message);
  await until(() => messages.length === 2, 5_000, "one that came after it");
  assert.equal(messages.length, 2);
  for (const one of [handshakes, after]) one.close();
});

test("handshakes of one IPv6 network take one turn, and have one network's room", () => {
  const { handshakes, busy } = waiting(new Tickets("secret"), 0);
  try {
    for (let i = 0; i < 513; i++) handshakes.add(peer(`a${i}`, `2001:db8::${i}`), hello());
    assert.deepEqual(busy, ["a512"]);
  } finally {
    handshakes.close();
  }
});

test("tickets are their server's alone, for thirty days, and name their user", () => {
  let now = 1_795_215_435_253;
  const tickets = new Tickets("secret", () => now);
  const ticket = ticketBytes(tickets.issue(USER))!;
  assert.equal(ticket.length, 52);
  const holder = tickets.userOf(ticket);
  assert.equal(holder?.slice(0, 32), USER.replaceAll("-", ""));
  assert.equal(tickets.userOf(ticketBytes(tickets.issue(USER))!), holder);
  assert.equal(new Tickets("secret", () => now).userOf(ticket), holder);
  assert.equal(new Tickets("another", () => now).userOf(ticket), undefined);
  for (let i = 0; i < ticket.length; i++) {
    const changed = Uint8Array.from(ticket);
    changed[i] ^= 1;
    assert.equal(tickets.userOf(changed), undefined, `byte ${i}`);
    assert.equal(tickets.userOf(ticket.subarray(0, i)), undefined, `cut at ${i}`);
  }
  now += 2_592_000_000 - 1;
  assert.equal(tickets.userOf(ticket), holder);
  now += 1;
  assert.equal(tickets.userOf(ticket), undefined);
  for (const text of [undefined, "", "no ticket", "A".repeat(71)]) {
    assert.equal(ticketBytes(text), undefined);
  }
});
