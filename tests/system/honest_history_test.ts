/** What an honest group and a bad network do to a history that is followed: nothing is marked or told. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Group, Registry } from "../support/inside.ts";
import { type Alarm, connect, type GroupEntry, type User } from "../../mod.ts";
import { KIND } from "../../lib/session/packet.ts";
import { closing, until } from "../support.ts";
import { between } from "./attack_between.ts";
import { Folder } from "./world.ts";

const FOLLOWERS = 5;
const SOON = 30_000;

for (const kept of [undefined, 40]) {
  const which = kept === undefined ? "all that is kept" : "a log that drops all the while";
  test(`followers of ${which} through losses, cuts, restarts: nothing is marked, and no alarm`, () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      const data = keep(new Folder()).path;
      const open = async () =>
        keep(
          await Group.start({ name: "Lab", registries, data, rate: Infinity, keep: kept }),
        );
      let group = await open();
      // Two programs of one user, whose message ids interleave.
      const home = keep(new Folder()).path;
      const devices: User[] = [];
      for (let i = 0; i < 2; i++) {
        devices.push(keep(await connect({ home, name: "alice", registries })));
        await devices[i].join("Lab");
      }
      // Every packet of the feed may be lost, or come twice; a connection lasts so long.
      const wires = await Promise.all(
        Array.from({ length: FOLLOWERS }, async (_, who) => {
          let count = 0;
          return keep(
            await between(group.address, (packet, { way, n }) => {
              if (way === "up") return [packet];
              if (who > 1 && n > 60 + 20 * who) return undefined;
              if (packet[0] !== KIND.feed) return [packet];
              count++;
              return who > 0 && count % (who + 3) === 0 ? [] : [packet, packet];
            }),
          );
        }),
      );
      const alarms: Alarm[] = [];
      const heard: GroupEntry[][] = [];
      const users: User[] = [];
      const stop = new AbortController();
      const listening: Promise<void>[] = [];
      for (const [who, { address }] of wires.entries()) {
        // Known by the address of the wire alone: no registry tells of another.
        const user = keep(
          await connect({ home: keep(new Folder()).path, name: `user ${who}`, registries: [] }),
        );
        await user.join(address);
        user.on((event) => {
          if (event.type === "alarm") alarms.push(event);
        });
        users.push(user);
        const own: GroupEntry[] = [];
        heard.push(own);
        listening.push((async () => {
          // Some begin again and again, from where they are.
          while (!stop.signal.aborted) {
            const left = who === 3 ? 70 : Infinity;
            const begun = own.length;
            for await (const entry of user.follow("Lab", { signal: stop.signal })) {
              own.push(entry);
              user.seen("Lab", entry.seq, entry.epoch);
              if (who === 4) { for (let i = 0; i < 5; i++) await turn(); }
              if (own.length - begun >= left) break;
            }
          }
        })());
      }
      const rounds = 120;
      for (let i = 0; i < rounds; i++) {
        await Promise.all(
          devices.map((device, d) =>
            Promise.all([0, 1].map((n) => device.send("Lab", `${i} ${d} ${n}`, { within: SOON })))
          ),
        );
        await group.group.prune();
        if (i === rounds / 2) {
          await group.close();
          group = await open();
        }
      }
      const { seq } = await devices[0].send("Lab", "last", { within: SOON });
      await until(() => heard.every((own) => own.at(-1)?.seq === seq), SOON, "all hear the last");
      stop.abort();
      await Promise.all(listening);
      assert.deepEqual(alarms, []);
      for (const [who, own] of heard.entries()) {
        const marked = own.filter(({ signature }) => signature === "invalid");
        assert.deepEqual(marked, [], `user ${who}`);
        const seqs = own.map(({ seq }) => seq);
        if (kept === undefined) assert.deepEqual(seqs, seqs.map((_, i) => seqs[0] + i));
        else assert.ok(seqs.every((seq, i) => i === 0 || seq > seqs[i - 1]));
      }
      const prints = await Promise.all(users.map((user) => user.fingerprint("Lab")));
      assert.equal(new Set(prints.map(({ seq, hash }) => `${seq} ${hash}`)).size, 1);
    }));
}
