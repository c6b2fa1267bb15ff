/**
 * Databases as each earlier version wrote them, frozen in `frozen/`: they open, nothing of them is
 * changed or lost, a start that dies half way leaves the old or the new, and a newer one is
 * refused with a sentence.
 */

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { migrate } from "../../lib/disk/sqlite.ts";
import { FolderUnusable } from "../../lib/errors.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { MIGRATIONS } from "../../lib/log/sqlite_schema.ts";
import { sqliteNames } from "../../lib/store/sqlite_name_store.ts";
import { sqliteStore } from "../../lib/store/sqlite_user_store.ts";
import { heldBy } from "./support/audit.ts";
import { type Fault, fault } from "./support/fault.ts";

/** A version that no zgroup will write for a long time. */
const NEWER = 99;

/** What each kind of database is called, and how it is opened; answers what must be in it. */
const KINDS = {
  log: {
    file: "log.db",
    async open(folder: string, fault: Fault) {
      return (await heldBy(folder, fault)).map(({ seq, text }) => `${seq} ${text}`).join(", ");
    },
    holds: () => [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `${n + 2} frozen ${n}`).join(", "),
  },
  user: {
    file: "user.db",
    open(folder: string) {
      const store = sqliteStore(folder);
      const [group] = store.groups();
      const waiting = store.pending(group.id).map(([, text]) => text);
      const pinned = store.pinned("127.0.0.1:5555")?.slice(0, 8) ?? "no pin";
      store.close();
      const { name, role, key, cursor, ticket } = group;
      const facts = [name, role, key.slice(0, 8), cursor, ticket.length, pinned, ...waiting];
      return Promise.resolve(facts.join(", "));
    },
    holds: (version: number) =>
      `Lab, member, qbgZDipu, 9, ${
        version > 1 ? "70, qbgZDipu" : "0, no pin"
      }, waits in the outbox`,
  },
  names: {
    file: "names.db",
    open(folder: string) {
      const store = sqliteNames(folder);
      const names = store.all().map(({ name }) => name);
      const places = store.places().map(({ name, address }) => `${name} at ${address}`);
      store.close();
      return Promise.resolve([...names, ...places].join(", "));
    },
    holds: (version: number) => version > 2 ? "Lab, Old at 127.0.0.1:5560" : "Lab",
  },
} as const;

await fault(async (fault) => {
  const frozen = new URL("frozen/", import.meta.url);
  let highest = 0;
  for (const name of readdirSync(frozen)) {
    const [, kind, version] = /^(\w+)_v(\d+)\.sql$/.exec(name)!;
    const { file, open, holds } = KINDS[kind as keyof typeof KINDS];
    const wanted = holds(Number(version));
    const sql = readFileSync(new URL(name, frozen), "utf8");
    const made = (folder: string, newer = "") => {
      const path = join(fault.folder, folder);
      mkdirSync(path, { recursive: true });
      const db = new DatabaseSync(join(path, file));
      db.exec(sql + newer);
      db.close();
      return path;
    };
    for (const time of ["the first time", "again"]) {
      const folder = time === "again" ? join(fault.folder, name) : made(name);
      const found = await open(folder, fault);
      fault.expect(found === wanted, `${name} ${time}: "${found}" in place of "${wanted}"`);
    }
    fault.count("opened");
    const refusal = await attempt(() =>
      open(made(`${name} newer`, `PRAGMA user_version = ${NEWER};`), fault)
    );
    const refused = refusal instanceof FolderUnusable && /newer|format is 99/.test(refusal.message);
    fault.expect(refused, `${name} of a newer version: ${refusal ?? "opened"}`);
    if (refused) fault.count("newer_refused");
    if (kind === "log") {
      highest = Math.max(highest, Number(version));
      halfWay(fault, made(`${name} half`), Number(version));
    }
  }
  // Who adds a migration freezes what the version before it wrote.
  fault.expect(highest === MIGRATIONS.length, `log_v${MIGRATIONS.length}.sql is not frozen`);
  await untouched(fault);
});

/** A migration that does not commit leaves what was there. */
function halfWay(fault: Fault, folder: string, version: number): void {
  const db = new DatabaseSync(join(folder, "log.db"));
  db.exec("BEGIN IMMEDIATE");
  migrate(db, MIGRATIONS);
  db.exec("ROLLBACK");
  const row = db.prepare("PRAGMA user_version").get() as { user_version: number };
  fault.expect(row.user_version === version, "a migration that died changed the version");
  db.close();
}

/** A first start that dies before its commit leaves an empty file, which opens. */
async function untouched(fault: Fault): Promise<void> {
  const folder = join(fault.folder, "fresh");
  mkdirSync(folder);
  const db = new DatabaseSync(join(folder, "log.db"));
  db.exec("BEGIN IMMEDIATE");
  migrate(db, MIGRATIONS);
  db.exec("ROLLBACK");
  db.close();
  const log = sqliteLog(folder);
  fault.expect((await log.open()).head === 0, "a folder whose first start died does not open");
  await log.close();
}

async function attempt(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}
