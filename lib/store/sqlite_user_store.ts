/**
 * A user's folder in SQLite: known groups, pins, cursors, outbox. Open in several programs at once.
 * Each row has a sum, and so have all that wait for one group; whom the user knows is kept a second
 * time in `known.json`, how many messages ever waited in `user.head`. Nothing is believed that does
 * not agree with them.
 */

import { type Database, openDatabase, type Opening, type Statements } from "../disk/sqlite.ts";
import { damaged, openError } from "../disk/sqlite_errors.ts";
import { FolderUnusable } from "../errors.ts";
import type { KnownGroup } from "../protocol/kept.ts";
import type { Message } from "../protocol/schema.ts";
import { copyIn, isNotOf, isSame, type Known, saveKnown } from "./known_file.ts";
import { lossOf, type Queued, queuedOf, QueuedRecord } from "./queued_record.ts";
import {
  type FolderRow,
  type GroupRow,
  groupSum,
  MIGRATIONS,
  type OutboxRow,
  type PinRow,
  pinSum,
  serversText,
  sumOfAll,
  toGroup,
  type WaitingRow,
  waitingSum,
} from "./sqlite_user_schema.ts";
import { isEmpty, missing, restoreLine, wordsFor } from "./user_folder.ts";
import type { FoundStore, Proof, StoredGroup, UserStore } from "./user_store.ts";

export const SQL = {
  folder: "SELECT owner, generation FROM folder",
  own: "UPDATE folder SET owner = ?",
  grow: "UPDATE folder SET generation = generation + 1",
  groups: "SELECT * FROM known ORDER BY name, id",
  group: "SELECT * FROM known WHERE id = ?",
  save: `INSERT INTO known (id, name, address, servers, key, joined, role)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address,
      servers = excluded.servers, key = excluded.key, joined = excluded.joined,
      role = excluded.role RETURNING *`,
  sumGroup: "UPDATE known SET sum = ? WHERE id = ?",
  forget: "DELETE FROM known WHERE id = ?",
  keepTicket: "UPDATE known SET ticket = ? WHERE id = ?",
  pins: "SELECT * FROM pin ORDER BY address",
  pinned: "SELECT * FROM pin WHERE address = ?",
  pin: "INSERT OR REPLACE INTO pin (address, key, sum) VALUES (?, ?, ?)",
  // Not ?1 and ?2: the first versions of Node with SQLite take those for names.
  moveCursor: `UPDATE known
    SET epoch = ?, cursor = ?, base_seq = ?, base_hash = ?, tip_seq = ?, tip_hash = ?
    WHERE id = ? AND (epoch <> ? OR cursor <= ?) RETURNING *`,
  enqueue: `INSERT OR IGNORE INTO outbox (known, mid, text, sum, tried, place, since)
    VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING sum`,
  tried: "UPDATE outbox SET tried = 1 WHERE known = ? AND mid = ?",
  untried: "SELECT mid FROM outbox WHERE known = ? AND tried = 0",
  kept: "SELECT 1 FROM outbox WHERE known = ? AND mid = ?",
  pending: "SELECT * FROM outbox WHERE known = ? ORDER BY place, mid",
  since: "SELECT mid, since FROM outbox WHERE known = ?",
  settle: "DELETE FROM outbox WHERE known = ? AND mid = ? RETURNING sum",
  drop: "INSERT OR REPLACE INTO dropped (known, mid) VALUES (?, ?)",
  forgetDropped: "DELETE FROM dropped WHERE rowid <= (SELECT max(rowid) FROM dropped) - ?",
  undrop: "DELETE FROM dropped WHERE known = ? AND mid = ?",
  dropped: "SELECT 1 FROM dropped WHERE known = ? AND mid = ?",
  waiting: "SELECT * FROM waiting WHERE known = ?",
  wait: "INSERT OR REPLACE INTO waiting (known, sum, queued) VALUES (?, ?, ?)",
  withOutbox: "SELECT known FROM outbox UNION SELECT known FROM waiting",
} as const;

/** Messages taken back that are remembered, the newest: a program that has one in hand asks soon. */
const MOST_DROPPED = 10_000;

/**
 * The store in `folder`, which is made (mode 0700) if missing.
 *
 * @param owner the user id of the folder's key; absent: whoever's it is
 * @throws {FolderUnusable} not writable, of a newer version, another user's, or what was there is
 * missing; {DiskFull}; {LogDamaged}
 */
export function sqliteStore(folder: string, owner = ""): UserStore {
  // Both as they were before the database is read: never newer.
  const copy = copyIn(folder);
  const queued = queuedOf(folder, owner);
  if (copy !== undefined && isEmpty(folder)) throw missing(folder, copy);
  return openDatabase(folder, "user.db", openingOf(folder), (db) => {
    const store = new SqliteStore(db, folder);
    store.claim(owner, copy, queued);
    return store;
  });
}

function openingOf(folder: string): Opening {
  return { sharing: "shared", migrations: MIGRATIONS, ...wordsFor(folder) };
}

/** See the head of this file. */
export class SqliteStore implements UserStore {
  readonly #db: Database;
  readonly #folder: string;
  readonly #sql: Statements<keyof typeof SQL>;
  readonly #record: QueuedRecord;
  #owner = "";
  #warnings: readonly string[] = [];
  /** An outbox that was put back from before this program sent anything is noticed. */
  #hasSent = false;
  #closed = false;

  constructor(db: Database, folder: string) {
    this.#db = db;
    this.#folder = folder;
    this.#sql = db.prepareAll(SQL);
    this.#record = new QueuedRecord(folder);
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /**
   * Checks all that was kept, and makes the folder its owner's.
   *
   * @param copy and `queued`: as they were before this database was opened
   */
  claim(owner: string, copy: Known | "damaged" | undefined, queued: Queued | undefined): void {
    const known = this.check(owner, copy, queued);
    this.#owner = owner;
    if (queued && this.#warnings.length > 0) { // Told once.
      this.#record.write({ ...queued, queued: this.#waiting(queued.group).queued });
    }
    if (owner !== known.owner && owner !== "") this.#change(() => this.#sql.own.run(owner));
    else if (isNotOf(known, copy) || known.generation > copy.generation) this.#keepCopy();
  }

  /** @throws {FolderUnusable}; {LogDamaged} */
  check(
    owner: string,
    copy: Known | "damaged" | undefined,
    queued: Queued | undefined,
  ): Known {
    const [first, ...more] = ["folder", "known", "pin", "waiting"].map((table) =>
      this.#db.pragma(`integrity_check('${table}')`)
    );
    if (first !== "ok" || more.some((found) => found !== "ok")) throw this.#damaged();
    const known = this.#db.snapshot(() => this.#known());
    const cannot = `Cannot use the folder ${this.#folder}`;
    const line = restoreLine(this.#folder);
    if (owner !== "" && known.owner !== "" && known.owner !== owner) {
      throw new FolderUnusable(
        `${cannot}: user.db belongs to the user ${known.owner}, identity.json to ${owner}; put back ` +
          `the one that belongs here, or keep identity.json alone: ${line}`,
      );
    }
    if (queued) {
      const lost = queued.queued - this.#waiting(queued.group).queued;
      if (lost > 0) this.#warnings = [lossOf(this.#folder, lost)];
    }
    if (isNotOf(known, copy)) return known;
    if (copy.generation > known.generation) {
      throw new FolderUnusable(
        `${cannot}: user.db with its user.db-wal is older than known.json, so that something is ` +
          `missing; put the newer one back, or go on with what both have: ${line}`,
      );
    }
    if (copy.generation === known.generation && !isSame(copy, known)) throw this.#damaged();
    return known;
  }

  /** All that is kept, checked. */
  whole(): FoundStore {
    const known = this.#known();
    const all = this.#sql.withOutbox.all() as Pick<WaitingRow, "known">[];
    const outbox = all.map(({ known }) => [known, this.#pending(known)] as const);
    const { warnings } = this;
    return { ...known, groups: this.groups(), outbox: new Map(outbox), warnings };
  }

  groups(): StoredGroup[] {
    return this.#do(() => (this.#sql.groups.all() as GroupRow[]).map((row) => this.#group(row)));
  }

  #group(row: GroupRow): StoredGroup {
    if (row.sum !== groupSum(row)) throw this.#damaged();
    return toGroup(row);
  }

  save(group: KnownGroup): void {
    const { id, name, address, key, joined, role } = group;
    const servers = serversText(group.servers);
    const row = this.#do(() => this.#sql.group.get(id)) as GroupRow | undefined;
    const same = row !== undefined && row.name === name && row.address === address &&
      row.servers === servers && row.key === key && row.joined === Number(joined) &&
      row.role === role;
    if (same) return;
    this.#change(() => {
      const values = [id, name, address, servers, key, joined ? 1 : 0, role];
      this.#sum(this.#sql.save.get(...values) as GroupRow);
    });
  }

  forget(id: string): void {
    this.#change(() => this.#sql.forget.run(id));
  }

  keepTicket(id: string, ticket: string): void {
    this.#do(() => this.#sql.keepTicket.run(ticket, id));
  }

  pinned(address: string): string | undefined {
    const row = this.#do(() => this.#sql.pinned.get(address)) as PinRow | undefined;
    if (row && row.sum !== pinSum(row)) throw this.#damaged();
    return row?.key;
  }

  pin(address: string, key: string): void {
    this.#change(() => this.#sql.pin.run(address, key, pinSum({ address, key })));
  }

  moveCursor(id: string, epoch: string, seq: number, { base, tip }: Proof = {}): void {
    const proof = [base?.seq ?? 0, base?.hash ?? "", tip?.seq ?? 0, tip?.hash ?? ""];
    this.#write(() => {
      const row = this.#sql.moveCursor.get(epoch, seq, ...proof, id, epoch, seq);
      if (row) this.#sum(row as GroupRow);
    });
  }

  enqueue(group: string, messages: readonly Message[], tried = true): void {
    let queued = 0;
    const work = () => {
      const added: { sum: number }[] = [];
      const before = this.#waiting(group).queued;
      const since = Date.now();
      for (const [mid, text] of messages) {
        const sum = waitingSum({ known: group, mid, text });
        const place = before + added.length + 1;
        const values = [group, mid, text, sum, tried ? 1 : 0, place, since] as const;
        this.#sql.undrop.run(group, mid);
        const row = this.#sql.enqueue.get(...values) as { sum: number } | undefined;
        if (row) added.push(row);
      }
      queued = this.#wait(group, added, added.length);
    };
    if (this.#hasSent) this.#write(work);
    else this.#change(work);
    this.#hasSent = true;
    if (queued > 0) this.#record.write({ owner: this.#owner, group, queued });
  }

  pending(group: string): Message[] {
    return this.#do(() => this.#pending(group));
  }

  #pending(group: string): Message[] {
    // Both of one moment: other programs write, too.
    const read = () => {
      const rows = this.#sql.pending.all(group) as WaitingRow[];
      return { rows, all: this.#waiting(group).sum };
    };
    const { rows, all } = this.#db.snapshot(read);
    const whole = rows.every((row) => row.sum === waitingSum(row)) && sumOfAll(rows) === all;
    if (!whole) throw this.#damaged();
    return rows.map(({ mid, text }) => [mid, text]);
  }

  tried(group: string, mids: readonly string[]): void {
    this.#write(() => {
      for (const mid of mids) this.#sql.tried.run(group, mid);
    });
  }

  untried(group: string): ReadonlySet<string> {
    const rows = this.#do(() => this.#sql.untried.all(group)) as { mid: string }[];
    return new Set(rows.map(({ mid }) => mid));
  }

  kept(group: string, mids: readonly string[]): ReadonlySet<string> {
    return this.#do(() => new Set(mids.filter((mid) => this.#sql.kept.get(group, mid))));
  }

  since(group: string): ReadonlyMap<string, number> {
    const rows = this.#do(() => this.#sql.since.all(group)) as { mid: string; since: number }[];
    return new Map(rows.filter(({ since }) => since > 0).map(({ mid, since }) => [mid, since]));
  }

  settle(group: string, mids: readonly string[]): void {
    this.#write(() => this.#settle(group, mids));
  }

  drop(group: string, mids: readonly string[]): void {
    this.#write(() => {
      this.#settle(group, mids);
      for (const mid of mids) this.#sql.drop.run(group, mid);
      this.#sql.forgetDropped.run(MOST_DROPPED);
    });
  }

  dropped(group: string, mids: readonly string[]): ReadonlySet<string> {
    return this.#do(() => new Set(mids.filter((mid) => this.#sql.dropped.get(group, mid))));
  }

  #settle(group: string, mids: readonly string[]): void {
    const gone = mids.map((mid) => this.#sql.settle.get(group, mid) as { sum: number } | undefined);
    this.#wait(group, gone.filter((row) => row !== undefined));
  }

  /** Rows came, or went: the sum of a group's outbox is another. Answers how many ever came. */
  #wait(group: string, rows: readonly { readonly sum: number }[], more = 0): number {
    if (rows.length === 0) return 0;
    const { sum, queued } = this.#waiting(group);
    this.#sql.wait.run(group, (sum ^ sumOfAll(rows)) >>> 0, queued + more);
    return queued + more;
  }

  #waiting(group: string): Omit<OutboxRow, "known"> {
    return this.#sql.waiting.get(group) as OutboxRow | undefined ?? { sum: 0, queued: 0 };
  }

  #sum(row: GroupRow): void {
    this.#sql.sumGroup.run(groupSum(row), row.id);
  }

  #known(): Known {
    const row = this.#sql.folder.get() as FolderRow | undefined;
    if (!row) throw this.#damaged();
    const groups = (this.#sql.groups.all() as GroupRow[]).map((row) => this.#group(row));
    const pins: Record<string, string> = {};
    for (const row of this.#sql.pins.all() as PinRow[]) {
      if (row.sum !== pinSum(row)) throw this.#damaged();
      pins[row.address] = row.key;
    }
    return { owner: row.owner, generation: row.generation, groups, pins };
  }

  /** A change that must not be lost in silence: on the disk when this returns, and in the copy. */
  #change(work: () => void): void {
    this.#do(() => this.#db.pragma("synchronous = FULL"));
    try {
      this.#write(() => {
        work();
        this.#sql.grow.run();
      });
    } finally {
      this.#do(() => this.#db.pragma("synchronous = NORMAL"));
    }
    this.#keepCopy();
  }

  #keepCopy(): void {
    try {
      saveKnown(this.#folder, this.#db.snapshot(() => this.#known()));
    } catch {
      // It is behind until the next change or the next start; what is true is in the database.
    }
  }

  #write(work: () => void): void {
    this.#do(() => this.#db.transaction(work));
  }

  /** Whatever SQLite says is told as a sentence with the way out. */
  #do<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const { cannot, ...words } = wordsFor(this.#folder);
      throw openError(
        this.#db.path,
        { ...words, cannot: cannot.replace("use", "write to") },
        error,
      );
    }
  }

  #damaged(): Error {
    return damaged(this.#db.path, 0, undefined, "", wordsFor(this.#folder).wayOut);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#record.close();
    this.#db.close();
  }
}
