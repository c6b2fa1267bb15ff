/** One server of PostgreSQL: started, paused, killed, promoted, always by its process id. */

import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import postgres from "postgres";
import { until } from "../support.ts";
import { account, asAccount, program, run } from "./postgres_programs.ts";

/** What only a defect reaches, ms. */
const LONG = 60_000;
/** The part of the configuration that is this node's own. */
const OWN = "own.conf";

/** What every node has. `fsync` and the like are as PostgreSQL has them. */
const SETTINGS: Readonly<Record<string, string>> = {
  unix_socket_directories: "",
  wal_level: "replica",
  max_wal_senders: "10",
  wal_keep_size: "1GB",
  hot_standby: "on",
  // A standby finds its primary again at once, and not after 5 s.
  wal_retrieve_retry_interval: "100ms",
  lc_messages: "C",
};

/** The machine of a node, where it is another one than this, if only in name. */
export interface NodePlace {
  /** Its address; default 127.0.0.1. */
  readonly host?: string;
  /** Its disk: the node's own folder is made in it. */
  readonly folder?: string;
  /** What its server is started with beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command line that runs another one there, with the pid that is started. */
  inside?(command: readonly string[]): readonly string[];
}

export interface NodeOptions {
  readonly name: string;
  /** Its own is made in it, where its place has none; what it says lies there. */
  readonly folder: string;
  readonly port: number;
  readonly admin: string;
  readonly password: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly place: NodePlace;
}

/** Where a node is by default. */
const LOCAL = "127.0.0.1";

/** See the head of this file. */
export class PostgresNode {
  /** Also what its primary knows it by. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Its files. */
  readonly data: string;
  /** What it says. */
  readonly log: string;
  readonly #admin: string;
  readonly #password: string;
  readonly #settings: Map<string, string>;
  readonly #place: NodePlace;
  #server: ChildProcess | undefined;
  #since = 0;
  #paused = false;

  constructor({ name, folder, port, admin, password, settings, place }: NodeOptions) {
    this.name = name;
    this.host = place.host ?? LOCAL;
    this.port = port;
    this.data = join(place.folder ?? folder, name);
    this.#place = place;
    this.log = join(folder, `${name}.log`);
    this.#admin = admin;
    this.#password = password;
    const own = {
      ...SETTINGS,
      ...settings,
      listen_addresses: this.host,
      port: String(port),
      cluster_name: name,
    };
    this.#settings = new Map(Object.entries(own));
  }

  /** `HOST:PORT`. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** The pid of its postmaster; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#server?.pid;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether it is a standby, or would start as one. */
  get standby(): boolean {
    return existsSync(join(this.data, "standby.signal"));
  }

  /** When it was started or promoted, ms of `performance.now()`. */
  get since(): number {
    return this.#since;
  }

  /** Makes its files. */
  async init(): Promise<void> {
    const secret = `${this.data}.password`;
    writeFileSync(secret, this.#password, { mode: 0o600 });
    own(secret);
    const auth = ["-U", this.#admin, `--pwfile=${secret}`, "-A", "scram-sha-256"];
    const kind = ["-E", "UTF8", "--locale=C", "--data-checksums", "--no-sync"];
    await run("initdb", ["-D", this.data, ...auth, ...kind]);
    rmSync(secret);
    const include = `\ninclude '${OWN}'\n`;
    writeFileSync(join(this.data, "postgresql.conf"), include, { flag: "a" });
    const from = this.host === LOCAL ? `${LOCAL}/32` : "0.0.0.0/0";
    const access = `host all,replication all ${from} scram-sha-256\n`;
    writeFileSync(join(this.data, "pg_hba.conf"), access);
    this.#writeConf();
  }

  /** Makes its files a copy of another's, as a standby of it. */
  async copyOf(primary: PostgresNode): Promise<void> {
    rmSync(this.data, { recursive: true, force: true });
    const from = ["-h", primary.host, "-p", String(primary.port), "-U", this.#admin];
    const how = ["-D", this.data, "-X", "stream", "-c", "fast", "--no-sync"];
    await run("pg_basebackup", [...from, ...how], { PGPASSWORD: this.#password });
    this.#stand(primary);
  }

  /** Starts it; it takes connections when this resolves. */
  async start(): Promise<void> {
    if (this.#server) throw new Error(`${this.name} runs`);
    rmSync(join(this.data, "postmaster.pid"), { force: true });
    const said = openSync(this.log, "a");
    const { env, inside = (command) => command } = this.#place;
    const [first, ...rest] = inside(asAccount([program("postgres"), "-D", this.data]));
    const server = spawn(first, rest, {
      cwd: "/",
      detached: true,
      env: { ...process.env, LC_ALL: "C", ...env },
      stdio: ["ignore", said, said],
    });
    closeSync(said);
    server.unref();
    const over = () => {
      if (this.#server === server) this.#server = undefined;
    };
    server.once("exit", over);
    server.once("error", over);
    this.#server = server;
    this.#paused = false;
    this.#since = performance.now();
    await until(
      () => {
        if (this.#server !== server) throw new Error(`${this.name} ended:\n${this.#lastWords()}`);
        return this.#status() === "ready";
      },
      LONG,
      `${this.name} takes connections`,
    );
  }

  /** Ends it as an operator does: nobody is waited for, and all is on disk. */
  async stop(): Promise<void> {
    this.resume();
    await this.#end("SIGINT");
  }

  /**
   * Sends a signal to the server and all its processes, as when the machine goes; resolves when
   * they are gone.
   */
  async kill(signal: "SIGKILL" | "SIGQUIT" = "SIGKILL"): Promise<void> {
    if (signal === "SIGQUIT") this.resume();
    const children = this.#children();
    if (signal === "SIGKILL") { for (const child of children) send(child, signal); }
    await this.#end(signal);
    await until(() => children.every((pid) => !exists(pid)), LONG, `${this.name} is gone`);
  }

  /** Stops the server and all its processes where they are. */
  pause(): void {
    if (this.pid === undefined) throw new Error(`${this.name} does not run`);
    send(this.pid, "SIGSTOP"); // First, so that it starts no more of them.
    for (const child of this.#children()) send(child, "SIGSTOP");
    this.#paused = true;
  }

  /** Lets it go on; harmless where it was not paused. */
  resume(): void {
    if (this.pid === undefined || !this.#paused) return;
    for (const child of this.#children()) send(child, "SIGCONT");
    send(this.pid, "SIGCONT");
    this.#paused = false;
  }

  /** Makes a standby a primary, which has the standbys that its own settings name. */
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote(true, 60)");
    this.#since = performance.now();
  }

  /**
   * Makes it a standby of `primary`, whatever it was: by its own files where that is possible, or
   * by a copy of the primary's.
   */
  async follow(primary: PostgresNode): Promise<void> {
    if (this.running && this.standby) {
      await this.conf("primary_conninfo", this.#source(primary));
      return;
    }
    if (this.running) await this.stop();
    const source = `${this.#source(primary)} dbname=postgres`;
    const keep = ["--no-sync", "--config-file", join(this.data, "postgresql.conf")];
    try {
      if (!this.standby) {
        // Before its first checkpoint a new primary looks as if nothing had forked off.
        await primary.query("CHECKPOINT");
        await run("pg_rewind", ["-D", this.data, `--source-server=${source}`, ...keep]);
      }
      this.#stand(primary);
    } catch {
      await this.copyOf(primary);
    }
    await this.start();
  }

  /** How far its log goes that is on its disk: bytes. */
  async lsn(): Promise<number> {
    const [row] = await this.query(
      `SELECT (CASE WHEN pg_is_in_recovery()
        THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
        ELSE pg_current_wal_flush_lsn() END - '0/0')::float8 AS lsn`,
    );
    return Number(row.lsn);
  }

  /** Changes a setting, and waits until new connections have it; undefined takes it back. */
  async conf(name: string, value: string | undefined): Promise<void> {
    if (value === undefined) this.#settings.delete(name);
    else this.#settings.set(name, value);
    this.#writeConf();
    if (this.pid === undefined) return;
    const [before] = await this.query("SELECT pg_conf_load_time()::text AS at");
    send(this.pid, "SIGHUP");
    await until(
      async () => {
        const [now] = await this.query("SELECT pg_conf_load_time()::text AS at");
        return now.at !== before.at;
      },
      LONG,
      `${this.name} has ${name}`,
    );
  }

  /** Waits until so many standbys have all and are synchronous. */
  async hasStandbys(count: number): Promise<void> {
    await until(
      async () => {
        const rows = await this.query(
          "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state <> 'async'",
        );
        return rows.length === count;
      },
      LONG,
      `${this.name} has ${count} synchronous standbys`,
    );
  }

  /** Runs SQL as the one who may do everything, in a connection of its own. */
  async query(
    text: string,
    database = "postgres",
  ): Promise<Readonly<Record<string, unknown>>[]> {
    const sql = postgres({
      host: this.host,
      port: this.port,
      user: this.#admin,
      password: this.#password,
      database,
      max: 1,
      fetch_types: false,
      connect_timeout: 10,
      onnotice: () => {},
    });
    try {
      return [...await sql.unsafe(text)];
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  /** Copies a file to its own files, readable by it alone; the path of the copy. */
  give(file: string): string {
    const copy = join(this.data, basename(file));
    copyFileSync(file, copy);
    chmodSync(copy, 0o600);
    own(copy);
    return copy;
  }

  /** Ends it at once. */
  async close(): Promise<void> {
    await this.kill();
  }

  /** Writes what makes it a standby. */
  #stand(primary: PostgresNode): void {
    this.#settings.set("primary_conninfo", this.#source(primary));
    this.#settings.delete("synchronous_standby_names");
    this.#writeConf();
    const signal = join(this.data, "standby.signal");
    writeFileSync(signal, "");
    own(signal);
  }

  #source({ host, port }: PostgresNode): string {
    const who = `user=${this.#admin} password=${this.#password}`;
    return `host=${host} port=${port} ${who} application_name=${this.name}`;
  }

  #writeConf(): void {
    const lines = [...this.#settings].map(([name, value]) =>
      `${name} = '${value.replaceAll("'", "''")}'\n`
    );
    const file = join(this.data, OWN);
    writeFileSync(file, lines.join(""), { mode: 0o600 });
    own(file);
  }

  /** What it says of itself in its pid file; undefined before it says anything. */
  #status(): string | undefined {
    try {
      const lines = readFileSync(join(this.data, "postmaster.pid"), "utf8").split("\n");
      return Number(lines[0]) === this.pid ? lines[7]?.trim() : undefined;
    } catch {
      return undefined;
    }
  }

  #children(): number[] {
    const pid = this.pid;
    if (pid === undefined) return [];
    try {
      const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
      return text.split(" ").filter((word) => word !== "").map(Number);
    } catch {
      return [];
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const gone = new Promise<void>((resolve) => server.once("exit", () => resolve()));
    server.ref();
    send(server.pid!, signal);
    const late = new AbortController();
    const over = setTimeout(LONG, "late", { signal: late.signal }).catch(() => "ended");
    const how = await Promise.race([gone, over]);
    late.abort();
    if (how === "late") throw new Error(`${this.name} does not end:\n${this.#lastWords()}`);
    this.#server = undefined;
    this.#paused = false;
  }

  #lastWords(): string {
    return existsSync(this.log) ? readFileSync(this.log, "utf8").slice(-2_000) : "";
  }
}

/** Gives a file to the account that runs servers. */
function own(file: string): void {
  const { uid, gid } = account();
  if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
}

/** Harmless where the process is gone. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}

/** Whether a process is there; one that is over, and that nobody has asked about yet, is not. */
function exists(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false;
  }
}
