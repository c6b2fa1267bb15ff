import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { connect, type GroupEntry, type Receipt, Registry, type User } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** How often the group is killed; ZGROUP_KILLS=50 for the long run. */
const KILLS = Number(process.env.ZGROUP_KILLS ?? 5);
const CLIENTS = 8;
/** Acknowledgements between two kills; the kill comes in the middle of the next ones. */
const BETWEEN = 150;

interface Sent {
  readonly text: string;
  readonly receipt: Receipt;
}

/** Sends bursts until told to stop; all of them are acknowledged in the end. */
async function chatter(user: User, name: string, acknowledged: Sent[], stop: AbortSignal) {
  for (let i = 0; !stop.aborted;) {
    const burst = Array.from({ length: 1 + (i % 7) }, () => `${name} ${i++}`);
    await Promise.all(burst.map(async (text) => {
      const receipt = await user.send("Crash", text, { within: Infinity });
      acknowledged.push({ text, receipt });
    }));
  }
  return acknowledged.length;
}

test("a group killed again and again loses and doubles nothing that it acknowledged", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const start = async () => {
      const command = ours(
        ...["group.ts", "Crash", "127.0.0.1:0", "--registry", registry.address],
        ...["--home", path, "--quiet"],
      );
      const started = keep(new Process(command));
      await started.line(/listens on/);
      return started;
    };
    let group = await start();
    const users: User[] = [];
    for (let i = 0; i < CLIENTS; i++) {
      users.push(keep(await connect({ name: `user ${i}`, registries })));
    }
    await Promise.all(users.map((user) => user.join("Crash")));

    const heard: GroupEntry[] = [];
    const deaf = new AbortController();
    const listening = (async () => {
      const entries = users[0].follow("Crash", { after: 0, signal: deaf.signal });
      for await (const entry of entries) heard.push(entry);
    })();
    const stop = new AbortController();
    const sent: Sent[][] = users.map(() => []);
    const all = () => sent.reduce((sum, list) => sum + list.length, 0);
    const chatters = users.map((user, i) => chatter(user, `user ${i}`, sent[i], stop.signal));
    const begun = performance.now();
    for (let kill = 0; kill < KILLS; kill++) {
      const before = all();
      // Never where a group that was killed cannot start again; kill_group measures how soon it does.
      await until(() => all() >= before + BETWEEN, 30_000, `${BETWEEN} acknowledgements`);
      group.signal("SIGKILL");
      assert.equal((await group.end(5_000)).signal, "SIGKILL");
      group = await start();
    }
    stop.abort();
    await Promise.all(chatters);
    const seconds = (performance.now() - begun) / 1_000;

    const entries = await Array.fromAsync(users[1].read("Crash"));
    const { length } = entries;
    assert.deepEqual(entries.map(({ seq }) => seq), Array.from({ length }, (_, i) => i + 1));
    assert.equal(new Set(entries.map(({ epoch }) => epoch)).size, 1);
    const messages = entries.filter(({ kind }) => kind === "message");
    assert.equal(new Set(messages.map(({ mid }) => mid)).size, messages.length);
    for (const list of sent) {
      for (const { text, receipt } of list) {
        const { mid, at, text: kept, signature } = entries[receipt.seq - 1];
        assert.deepEqual([mid, at, kept, signature], [receipt.mid, receipt.at, text, "valid"]);
      }
    }
    for (const [i, user] of users.entries()) {
      const own = messages.filter(({ author }) => author === user.id).map(({ text }) => text);
      assert.deepEqual(own, Array.from(sent[i], (_, n) => `user ${i} ${n}`));
    }
    assert.equal(messages.length, all());

    await until(() => heard.length >= length, 15_000, "the follower has heard everything");
    deaf.abort();
    await listening;
    assert.deepEqual(heard, entries);
    const doubled = sent.flat().filter(({ receipt }) => receipt.duplicate).length;
    console.log(
      `${KILLS} kills, ${CLIENTS} clients, ${all()} messages acknowledged in ` +
        `${seconds.toFixed(1)} s, ${doubled} found again by their mid, 0 lost, 0 twice`,
    );
  }));
