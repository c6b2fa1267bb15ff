/** Defects that somebody might put into zgroup, and the fault program that must find each. */

import type { Mutation } from "./mutant.ts";

/** One or two for each fault. */
export const MUTATIONS: readonly Mutation[] = [
  {
    fault: "kill_group",
    what: "acknowledges before the commit",
    file: "lib/group/writer.ts",
    find: `    let read: readonly ReadBatch[] = [];
    if (batches.length`,
    replace: `    let read: readonly ReadBatch[] = [];
    for (const answer of answers) answer();
    await new Promise((resolve) => setTimeout(resolve, 20)); // more may come that share the fsync
    if (batches.length`,
  },
  {
    fault: "kill_user",
    what: "empties the outbox before the acknowledgement",
    file: "lib/user/sender.ts",
    find: `      const { accepted } = await link.ask("send", fields,`,
    replace: `      this.#settle(items);
      const { accepted } = await link.ask("send", fields,`,
  },
  {
    fault: "kill_user",
    what: "sends what is in the outbox under new message ids",
    file: "lib/user/sender.ts",
    find: "    for (const message of messages) {\n      const tried = !untried.has(message[0]);",
    replace: "    for (const [mid, text] of messages) {\n" +
      "      const message = [this.#options.mid(), text] as const;\n" +
      "      const tried = !untried.has(mid);",
  },
  {
    fault: "kill_registry",
    what: "forgets who took a name",
    file: "lib/registry/registry.ts",
    find: "      if (taken) this.#keeper.keep(taken);\n",
    replace: "",
  },
  {
    fault: "kill_registry",
    what: "a group registers once and renews no more",
    file: "lib/group/lease.ts",
    find: "    if (this.#busy || this.#closed ||",
    replace: "    if (this.#busy || this.#closed || this.#taken ||",
  },
  {
    fault: "power_loss",
    what: "a commit is written and not synced",
    file: "lib/disk/sqlite.ts",
    find: `"synchronous = FULL"`,
    replace: `"synchronous = NORMAL"`,
  },
  {
    fault: "power_loss",
    what: "the group's key is written and not synced",
    file: "lib/disk/files.ts",
    find: "    sync(part);\n",
    replace: "",
  },
  {
    fault: "torn_bytes",
    what: "takes the first bad frame for the end of the write-ahead log",
    file: "lib/disk/wal.ts",
    find: "  return commits > 1 ? bad : undefined;",
    replace: "  return commits > 1_000_000 ? bad : undefined;",
  },
  {
    fault: "torn_bytes",
    what: "serves batches without a look at their hashes",
    file: "lib/log/chain.ts",
    find: "  return batch.json === null || same(chainHash(previous.hash, batch.json), batch.hash);",
    replace: "  return true;",
  },
  {
    fault: "torn_bytes",
    what: "does not notice that rows are gone",
    file: "lib/log/sqlite.ts",
    find: "if (firstOf(sql.newestOfIndex.get()) !== newest?.first) throw",
    replace: "if (firstOf(sql.newestOfIndex.get()) === -1) throw",
  },
  {
    fault: "group_files",
    what: "does not look how far the log went",
    file: "lib/log/sqlite_owner.ts",
    find: `    if (typeof known === "object" && known.seq > 0) {`,
    replace: `    if (typeof known === "object" && known.seq > 1_000_000) {`,
  },
  {
    fault: "group_files",
    what: "makes a new key where it is missing",
    file: "lib/run/group_folder.ts",
    find: "LOG_FILES.find((file) => existsSync(join(folder, file)))",
    replace: "LOG_FILES.find(() => false)",
  },
  {
    fault: "group_files",
    what: "carries over the write-ahead log of a log that it refuses",
    file: "lib/disk/sqlite.ts",
    find: "if (db && held && walChecked) wal.leave(db);",
    replace: "if (db && held && walChecked) db.close();",
  },
  {
    fault: "group_files",
    what: "checks less of a copy than it restores",
    file: "lib/run/copies.ts",
    find: "      return await this.#make(file, part);",
    replace: `      copyFileSync(file, join(part, LOG_FILE));
      return await this.#verified(this.#engine.log(part));`,
  },
  {
    fault: "disk_full",
    what: "a group that cannot drop what need not be kept does not start",
    file: "lib/group/group.ts",
    find: "      if (!(error instanceof DiskFull)) throw error;\n      this.#isKept(true);\n",
    replace: "      throw error;\n",
  },
  {
    fault: "disk_full",
    what: "acknowledges what found no room",
    file: "lib/group/writer.ts",
    find: "        for (const { reject } of waiting) reject(refusal);\n",
    replace: `        if (error instanceof DiskFull) for (const answer of answers) answer();
        else for (const { reject } of waiting) reject(refusal);\n`,
  },
  {
    fault: "disk_full",
    what: "stops when the disk is full",
    file: "lib/group/writer.ts",
    find: "        if (error instanceof DiskFull) return this.#isFull(true);\n",
    replace: "",
  },
  {
    fault: "failing_fsync",
    what: "takes a failed fsync for a full disk and goes on",
    file: "lib/log/sqlite_file.ts",
    find: "if (isFull(cause) && db.carryOver()) {",
    replace: "if (db.carryOver()) {",
  },
  {
    fault: "clock_jumps",
    what: "takes the time of an entry straight from the clock",
    file: "lib/group/state.ts",
    find: "at: Math.max(state.at, now), ...draft };",
    replace: "at: now, ...draft };",
  },
  {
    fault: "clock_jumps",
    what: "measures leases by the date",
    file: "lib/registry/registry.ts",
    find: "const clock = performance.now(); // The date may jump, and no lease with it.",
    replace: "const clock = this.#options.now();",
  },
  {
    fault: "slow_members",
    what: "skips for a slow member what it cannot keep",
    file: "lib/user/follow.ts",
    find: `        if (this.#units > MAX_BUFFER) {
          this.#behind = true;`,
    replace: `        if (this.#units > MAX_BUFFER) {
          this.#trail = new Trail(lastOf(this.#buffer.map(({ batch }) => batch)), false);`,
  },
  {
    fault: "partition",
    what: "takes a hole in the live feed for the truth",
    file: "lib/user/trail.ts",
    find: `    if (end < this.from) return "pass";`,
    replace: `    if (end > this.from) return "take";`,
  },
  {
    fault: "partition",
    what: "takes a message again that it has",
    file: "lib/group/decide/messages.ts",
    find: "messages[0][0] > last ? [] : messages.map(([mid]) => mid);",
    replace: "[];",
  },
  {
    fault: "malformed",
    what: "a request that cannot be read ends the registry",
    file: "lib/session/session_front.ts",
    find: `      if (!(error instanceof Refusal)) failed(error);`,
    replace: `      if (error instanceof BadRequest) {
        queueMicrotask(() => {
          throw error;
        });
      }
      if (!(error instanceof Refusal)) failed(error);`,
  },
  {
    fault: "malformed",
    what: "reads requests without a look at their fields",
    file: "lib/protocol/codec.ts",
    find: "  if (!result.success) throw bad(",
    replace: `  if (!result.success && op === "ping") throw bad(`,
  },
  {
    fault: "two_groups",
    what: "does not hold its folder",
    file: "lib/disk/sqlite.ts",
    find: `"locking_mode = EXCLUSIVE"`,
    replace: `"locking_mode = NORMAL"`,
  },
  {
    fault: "five_programs",
    what: "does not wait for another program that writes",
    file: "lib/disk/sqlite.ts",
    find: "busy_timeout = 10000",
    replace: "busy_timeout = 0",
  },
  {
    fault: "five_programs",
    what: "takes a message again that it has",
    file: "lib/group/decide/messages.ts",
    find: "messages[0][0] > last ? [] : messages.map(([mid]) => mid);",
    replace: "[];",
  },
  {
    fault: "user_files",
    what: "does not notice that the end of user.db-wal is gone",
    file: "lib/store/sqlite_user_store.ts",
    find: "if (lost > 0) this",
    replace: "if (lost > 1_000_000) this",
  },
  {
    fault: "user_files",
    what: "does not notice that messages are gone from the outbox",
    file: "lib/store/sqlite_user_store.ts",
    find:
      "const whole = rows.every((row) => row.sum === waitingSum(row)) && sumOfAll(rows) === all;",
    replace: "const whole = rows.every((row) => row.sum === waitingSum(row)) && all >= 0;",
  },
  {
    fault: "user_files",
    what: "believes an older user.db",
    file: "lib/store/sqlite_user_store.ts",
    find: "    if (copy.generation > known.generation) {",
    replace: "    if (copy.generation > known.generation + 1_000_000) {",
  },
  {
    fault: "upgrade",
    what: "opens a log, or a user's folder, that a newer version wrote",
    file: "lib/disk/sqlite.ts",
    find: "if (version > migrations.length) throw newer(",
    replace: "if (version > migrations.length + 1_000) throw newer(",
  },
  {
    fault: "backup",
    what: "leaves out of a copy what is newest",
    file: "lib/log/sqlite_copy.ts",
    find: "    const { head, tail } = ends();",
    replace: "    const { head, tail } = { ...ends(), head: ends().head - 300 };",
  },
  {
    fault: "backup",
    what: "restores a copy as the history that members know",
    file: "lib/log/sqlite_copy.ts",
    find: `    db.prepare("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)").run(epoch);\n`,
    replace: "",
  },
  {
    fault: "soak",
    what: "goes on where the group is when it is back, and leaves out what came meanwhile",
    file: "lib/user/follow.ts",
    find: "    if (epoch !== this.#epoch || head !== reach) this.#behind = true;",
    replace: `    if (epoch !== this.#epoch) this.#behind = true;
    else if (head !== reach) this.#trail = new Trail(head, false);`,
  },
  {
    fault: "identity",
    what: "a proof is not bound to its session",
    file: "lib/protocol/record.ts",
    find: "  return `zgroup proof 2\\n${transcript}`;",
    replace: "  return `zgroup proof 2\\n${transcript.slice(0, 0)}`;",
  },
  {
    fault: "identity",
    what: "believes a group by its name, whatever key it proves",
    file: "lib/user/identity.ts",
    find:
      "(isKnown && (target.id !== id || target.name !== name)) || (target.key && target.key !== key)",
    replace: "isKnown && target.name !== name",
  },
  {
    fault: "identity",
    what: "believes a registry that answers with another group",
    file: "lib/user/registries.ts",
    find: "  return name === asked || address === asked || record?.id === asked ||",
    replace: "  return name === asked || address === asked || record?.id !== asked ||",
  },
  {
    fault: "identity",
    what: "keeps the key of the feed after a removal",
    file: "lib/group/feed.ts",
    find: "    this.#secret = randomBytes(32);",
    replace: "    this.#secret ??= randomBytes(32);",
  },
  {
    fault: "identity",
    what: "keeps who is no member any more among those who hear the feed",
    file: "lib/group/feed.ts",
    find: "    for (const follower of gone) this.#followers.delete(follower);\n",
    replace: "",
  },
  {
    fault: "strangers",
    what: "never charges an account",
    file: "lib/transport/zmtp/account.ts",
    find: "    this.#totals.change(held - this.held);\n",
    replace: "",
  },
  {
    fault: "crowd",
    what: "cuts who says nothing before it asks for a sign of life",
    file: "lib/transport/zmtp/pulse.ts",
    find: "const SILENCE = 20;",
    replace: "const SILENCE = 4;",
  },
  {
    fault: "postgres_log",
    what: "whoever believes to hold the log appends",
    file: "lib/log/postgres_sql.ts",
    find: "const FENCE = `${OWN} AND term = $2 AND edit = $3 AND",
    replace: "const FENCE = `${OWN} AND $2::bigint > 0 AND $3::bigint >= 0 AND",
  },
  {
    fault: "postgres_log",
    what: "takes a wait for a standby that was cancelled for an acknowledgement",
    file: "lib/log/postgres_connection.ts",
    find: `const WARNING = "01000";`,
    replace: `const WARNING = "none";`,
  },
  {
    fault: "postgres_log",
    what: "reads what a primary shows after a crash before a standby has it",
    file: "lib/log/postgres_check.ts",
    find: ", pg_logical_emit_message(true, 'zgroup', '')`;",
    replace: "`;",
  },
  {
    fault: "postgres_log",
    what: "takes for lost what was not answered, and sends it once more at another place",
    file: "lib/log/postgres_hold.ts",
    find: "    const there = row.edit === this.#edit + 1;",
    replace: `    const there = false;
    this.#edit = row.edit;`,
  },
  {
    fault: "servers",
    what: "a relay says itself that a message is accepted",
    file: "lib/group/relay.ts",
    find: "    const fields = { request: asked, actor, from: from.slice(0, 80), size };\n",
    replace: `    if (asked.op === "send") {
      const { messages } = asked as Known<"send">;
      const run = { from: group.head + 1, count: messages.length, at: Date.now() };
      return { epoch: group.state.epoch, accepted: [run] } as unknown as Reply<K>;
    }
    const fields = { request: asked, actor, from: from.slice(0, 80), size };
`,
  },
  {
    fault: "servers_clocks",
    what: "a relay does not wait for what others were told",
    file: "lib/group/relay.ts",
    find: "    await this.#until(head);\n    if (isOther(group, head, hash)) {",
    replace: "    if (isOther(group, head, hash)) {",
  },
  {
    fault: "servers_cut",
    what: "a holder that cannot renew its lease never falls silent",
    file: "lib/group/standing.ts",
    find: "steady < this.#renewed.steady + HOLDS",
    replace: "steady > 0",
  },
  {
    fault: "servers_clocks",
    what: "a holder that slept believes the clock that slept, too",
    file: "lib/group/standing.ts",
    find: "ahead < this.#renewed.ahead + SLEPT",
    replace: "ahead > 0",
  },
  {
    fault: "servers_clocks",
    what: "appends whoever holds the log, and wherever it ends",
    file: "lib/log/postgres_sql.ts",
    find: "term = $2 AND edit = $3 AND",
    replace: "term >= $2 AND edit >= $3 AND",
  },
  {
    fault: "servers_clocks",
    what: "looks where the log ends, and claims it then",
    file: "lib/log/postgres.ts",
    find: `      const taken = await hold.claim(connection, seen, holder);
      return taken ? await readStanding(connection, log) : undefined;`,
    replace: `      const standing = await readStanding(connection, log);
      return await hold.claim(connection, seen, holder) ? standing : undefined;`,
  },
  {
    fault: "database_full",
    what: "does not know when the disk of the database is full",
    file: "lib/log/postgres_hold.ts",
    find: `const DISK_FULL = "53100";`,
    replace: `const DISK_FULL = "none";`,
  },
  {
    fault: "database",
    what: "takes a cancelled wait for a standby for a commit",
    file: "lib/log/postgres_connection.ts",
    find: "if (code === WARNING) connection",
    replace: `if (code === WARNING + "-") connection`,
  },
  {
    fault: "operate",
    what: "the page names a service that nobody made",
    file: "OPERATE.md",
    find: "systemctl enable --now zgroup-registry zgroup-lab",
    replace: "systemctl enable --now zgroup-registry zgroup-group",
  },
];
