/** Many groups at one registry: signed records, renewed from a connection each. */

import { groupId, newSigningKey, randomToken } from "../../lib/identity/keys.ts";
import { RECORD_LIFE } from "../../lib/protocol/limits.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { setTimeout as pause } from "node:timers/promises";
import { program } from "../programs.ts";
import { RawSession } from "./session.ts";

let registry = "";
let records: GroupRecord[] = [];
const renewing: RawSession[] = [];

await program({
  /** Registers so many groups. */
  async register({ address, count }: { address: string; count: number }) {
    registry = address;
    const requester = await RawSession.open(address);
    records = Array.from({ length: count }, (_, i) => recordOf(i));
    for (let i = 0; i < count; i += 100) {
      const part = records.slice(i, i + 100);
      await Promise.all(part.map((record) => requester.ask("register", { record })));
    }
    requester.close();
  },

  /** Milliseconds for each page of the whole list. */
  async list() {
    const requester = await RawSession.open(registry);
    const pages: number[] = [];
    let groups = 0;
    for (let after = "", more = true; more;) {
      const begin = performance.now();
      const page = await requester.ask("list", { after });
      pages.push(performance.now() - begin);
      const listed = page.groups as { name: string }[];
      groups += listed.length;
      after = listed.at(-1)?.name ?? "";
      more = page.more === true;
    }
    requester.close();
    return { pages, groups };
  },

  /** From now on so many groups renew once a second, evenly spread; tells how many did so far. */
  async renew({ count }: { count: number }) {
    for (const _ of records.slice(0, count)) renewing.push(await RawSession.open(registry));
    for (const [i, requester] of renewing.entries()) {
      const record = records[i];
      void (async () => {
        await pause(i * 1_000 / count);
        while (true) {
          const next = pause(1_000);
          await requester.ask("register", { record });
          await next;
        }
      })();
    }
  },
});

function recordOf(i: number): GroupRecord {
  const key = newSigningKey();
  const name = `Group ${i}`;
  const nonce = randomToken();
  const now = Date.now();
  return signRecord({
    ...{ id: groupId(key.publicKey, name, nonce), name, nonce, key: key.publicKey },
    ...{ access: "open", version: now, expires: now + RECORD_LIFE },
    // Not the address of anything: a record is not probed.
    address: `127.0.0.1:${20_000 + i}`,
  }, key);
}
