/** The one order of a group: what a refused commit leaves behind, and when a commit ends. */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { DiskFull, LogAway, Refusal } from "../../lib/errors.ts";
import type { GroupState } from "../../lib/group/state.ts";
import { apply } from "../../lib/group/state.ts";
import { type Job, Writer, type WriterOptions } from "../../lib/group/writer.ts";
import type {
  Commit,
  Log,
  LogStart,
  Places,
  Powers,
  ReadBatch,
  ReadRange,
} from "../../lib/log/log.ts";
import { memoryLog } from "../../lib/log/memory.ts";
import type { Batch } from "../../lib/protocol/batch.ts";
import { groupOn, named } from "../support/group.ts";
import { emptyState } from "./deciding.ts";
import { dice } from "../support/random.ts";
import { midAt, NOW } from "./fixtures.ts";

/** A log in memory whose disk is full while a test says so. */
class FillableLog implements Log {
  readonly engine = "fillable";
  full = false;
  /** Nothing is looked up: too much reaches over it. */
  crowded = false;
  /** Appends that found room. */
  commits = 0;
  readonly #log = memoryLog();

  get tail(): number {
    return this.#log.tail;
  }

  open(): Promise<LogStart> {
    return this.#log.open();
  }

  append(head: number, commit: Commit): Promise<readonly ReadBatch[]> {
    if (this.full) return Promise.reject(new DiskFull("Cannot append: the disk is full"));
    this.commits++;
    return this.#log.append(head, commit);
  }

  read(range: ReadRange): Promise<readonly ReadBatch[]> {
    return this.#log.read(range);
  }

  find(author: string, mids: readonly string[]): Promise<Places | undefined> {
    return this.crowded ? Promise.resolve(undefined) : this.#log.find(author, mids);
  }

  lastMid(author: string): Promise<string | undefined> {
    return this.#log.lastMid(author);
  }

  power<Name extends keyof Powers>(name: Name): Powers[Name] | undefined {
    const power = this.#log.power(name);
    if (!this.full || name !== "drop") return power;
    return (() =>
      Promise.reject(new DiskFull("Cannot drop: the disk is full"))) as unknown as Powers[Name];
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** Everything that can be asked of a state, as plain values. */
function snapshot({ members, values, lastMid: _, ...rest }: GroupState): object {
  const makers = new Set([...values.values()].flatMap((text) => text.match(/"by":"[^"]+"/g) ?? []));
  return {
    ...rest,
    members: [...members].sort(),
    pages: members.page("", 1_000),
    values: [...values].sort(),
    banned: values.banned(1_000),
    invites: values.invites,
    expired: values.expiredInvites(Infinity, 1_000).sort(),
    byMaker: [...makers].sort().map((by) => [by, [...values.invitesOf(by.slice(6, -1))].sort()]),
  };
}

const PEOPLE = ["f", ..."abcde"].map(named);

test("writer: a commit that finds no room leaves the state as it was, whatever was asked", async () => {
  let refusedCommits = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = dice(seed);
    const log = new FillableLog();
    let now = NOW;
    let tokens = 0;
    await using asked = await groupOn(log, { now: () => now });
    const { group, ask } = asked;
    const anyone = () => PEOPLE[random(PEOPLE.length)];
    const role = () => (["reader", "member", "admin"] as const)[random(3)];
    const token = (n: number) => `token-of-the-test-${n}`;
    const once = (): Promise<unknown> => {
      const who = anyone();
      const user = anyone().user;
      switch (random(9)) {
        case 0:
        case 1:
          return ask("join", random(2) ? who : { ...who, name: `${who.name}${random(3)}` });
        case 2:
          return ask("join", who, { invite: token(random(tokens + 1)) });
        case 3:
          return ask("leave", who);
        case 4:
        case 5: {
          const from = random(50);
          const messages = [0, 1, 2].slice(random(3)).map((i) => [midAt(NOW, from + i), "x"]);
          return ask("send", who, { messages });
        }
        case 6:
          return ask("invite", random(2) ? PEOPLE[0] : who, {
            uses: 1 + random(2),
            for: 1 + random(3),
            role: role(),
            token: token(tokens++),
          });
        case 7:
          return ask("act", random(3) ? PEOPLE[0] : who, {
            action: (["promote", "demote", "mute", "unmute"] as const)[random(4)],
            user,
            role: role(),
          });
        default:
          return ask("act", random(3) ? PEOPLE[0] : who, {
            action: (["remove", "ban", "unban", "topic"] as const)[random(4)],
            user,
            topic: `${random(5)}`,
          });
      }
    };
    const some = (n: number) => Promise.allSettled(Array.from({ length: n }, once));
    await Promise.all(PEOPLE.map((who) => ask("join", who)));
    for (let round = 0; round < 12; round++) {
      await some(1 + random(8));
      const before = snapshot(group.state);
      const mids = new Map(group.state.lastMid);
      const { commits } = log;
      log.full = true;
      const refused = await some(1 + random(8));
      log.full = false;
      assert.equal(log.commits, commits);
      assert.deepEqual(snapshot(group.state), before, `seed ${seed}, round ${round}`);
      for (const [user, last] of group.state.lastMid) {
        // One that was looked up meanwhile is the log's.
        const wanted = mids.get(user) ?? await log.lastMid(user) ?? "";
        assert.equal(last, wanted, `seed ${seed}, round ${round}`);
      }
      for (const user of mids.keys()) assert.ok(group.state.lastMid.has(user));
      const full = refused.filter(({ status, reason }: { status: string; reason?: Refusal }) =>
        status === "rejected" && reason?.code === "disk_full"
      );
      if (full.length > 0) refusedCommits++;
      now += random(3);
    }
    // And what is on disk folds to the same members.
    const folded = emptyState({ founder: PEOPLE[0].user });
    for (const { json } of await log.read({ limit: 100_000 })) apply(folded, JSON.parse(json));
    assert.deepEqual([...folded.members].sort(), [...group.state.members].sort());
  }
  assert.ok(refusedCommits > 300, `${refusedCommits} commits were refused`);
});

test("group: a full disk that hinders dropping old entries ends nothing", async () => {
  const log = new FillableLog();
  await using asked = await groupOn(log, { keep: { entries: 1 } });
  const { group, ask } = asked;
  await ask("join", PEOPLE[0]);
  await ask("join", PEOPLE[1]);
  log.full = true;
  await group.prune();
  assert.equal(log.tail, 1);
  log.full = false;
  await group.prune();
  assert.equal(log.tail, group.head);
});

test("writer: what was written is there when it is answered, and told after that", async () => {
  const order: string[] = [];
  const { writer } = await writerOf({
    committed: ([{ first }]) => void order.push(`committed ${first}`),
    tell: ([{ first }]) => void order.push(`told ${first}`),
  });
  await writer.submit(job()).then((seq) => order.push(`answered ${seq}`));
  await writer.close();
  assert.deepEqual(order, ["committed 1", "answered 1", "told 1"]);
});

test("writer: who asks for what a log that is away may have is put off", async () => {
  const log = memoryLog();
  log.find = () => Promise.reject(new LogAway("away"));
  const { writer } = await writerOf({ log });
  const messages = { author: "a", suspects: () => [["m"]], lookUp() {}, lookedUp() {} };
  const asking = writer.submit({ ...job(), messages });
  await assert.rejects(asking, { name: "Refusal", code: "busy" });
  assert.equal(await writer.submit(job()), 1);
  await writer.close();
});

/** A writer on a log in memory, and the batches of each commit. */
async function writerOf(given: Partial<WriterOptions> = {}) {
  const log = given.log ?? memoryLog();
  await log.open();
  const commits: number[] = [];
  const told: boolean[] = [];
  const writer = new Writer({
    log,
    state: emptyState(),
    now: () => NOW,
    committed: () => {},
    tell: (batches: readonly Batch[]) => void commits.push(batches.length),
    full: (now) => void told.push(now),
    broken: (error) => assert.fail(String(error)),
    ...given,
  });
  return { writer, commits, told };
}

/** A job that takes so long to decide on, and appends one entry. */
function job(ms = 0): Job<number> {
  return {
    size: 1,
    decide: () => {
      for (const end = performance.now() + ms; performance.now() < end;);
      const draft = {
        count: 1,
        kind: "topic",
        author: "a",
        name: "a",
        body: { topic: "t" },
      } as const;
      return { drafts: [draft], reply: ([{ first }]) => first };
    },
  };
}

test("writer: what waits together is one commit, answered in order", async () => {
  const { writer, commits } = await writerOf();
  const answers: number[] = [];
  await Promise.all([1, 2, 3].map(() => writer.submit(job()).then((seq) => answers.push(seq))));
  assert.deepEqual([answers, commits], [[1, 2, 3], [3]]);
  await writer.close();
});

test("writer: jobs that take long get commits of their own, and all else its turn in between", async () => {
  const { writer, commits } = await writerOf();
  const jobs = [1, 2, 3, 4].map(() => writer.submit(job(10)));
  const ended = Promise.all(jobs);
  let turns = 0;
  let running = true;
  void ended.then(() => running = false);
  while (running) {
    turns++;
    await setImmediate();
  }
  assert.deepEqual(await ended, [1, 2, 3, 4]);
  assert.deepEqual(commits, [1, 1, 1, 1]);
  assert.ok(turns >= 4, `${turns} turns`);
  await writer.close();
});

test("writer: what does not fit is refused as busy, and all else is finished before it closes", async () => {
  const { writer } = await writerOf();
  const taken = Array.from({ length: 10_000 }, () => writer.submit(job()));
  await assert.rejects(writer.submit(job()), (error) => (error as Refusal).code === "busy");
  const closed = writer.close();
  await assert.rejects(writer.submit(job()), (error) => (error as Refusal).code === "stopping");
  assert.equal((await Promise.all(taken)).at(-1), 10_000);
  await closed;
});

test("writer: a search is paid for by its author, found or refused, and none begins in debt", async () => {
  const log = new FillableLog();
  const { writer } = await writerOf({ log });
  const asked: string[] = [];
  let owes = false;
  const looking = (): Job<number> => ({
    ...job(),
    messages: {
      author: "a",
      suspects: () => [[midAt(NOW)]],
      lookUp() {
        if (owes) throw new Refusal("rate_limited", "Cannot look up more", { retryAfter: 1 });
        asked.push("began");
      },
      lookedUp: (ms) => void asked.push(ms >= 0 ? "paid" : "took less than nothing"),
    },
  });
  await writer.submit(looking());
  log.crowded = true;
  await assert.rejects(
    writer.submit(looking()),
    (error) => error instanceof Refusal && /send the messages one by one$/.test(error.message),
  );
  assert.deepEqual(asked, ["began", "paid", "began", "paid"]);
  owes = true;
  await assert.rejects(
    writer.submit(looking()),
    (error) => (error as Refusal).code === "rate_limited",
  );
  assert.equal(asked.length, 4);
  await writer.close();
});

test("writer: a full disk is told once, and once more when there is room", async () => {
  const log = new FillableLog();
  const { writer, told, commits } = await writerOf({ log });
  log.full = true;
  for (let i = 0; i < 2; i++) {
    await assert.rejects(writer.submit(job()), (error) => (error as Refusal).code === "disk_full");
  }
  log.full = false;
  assert.equal(await writer.submit(job()), 1);
  assert.equal(await writer.submit(job()), 2);
  await writer.close();
  assert.deepEqual([told, commits], [[true, false], [1, 1]]);
});
