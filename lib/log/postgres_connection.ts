/** One connection to one server of PostgreSQL: it is used as long as it answers, and never made anew. */

import type { Socket } from "node:net";
import { LogAway } from "../errors.ts";
import { openSocket } from "./postgres_socket.ts";
import type { PostgresHost, PostgresTarget } from "./postgres_url.ts";

/** How long a server may take to answer, ms. */
export const ANSWER_WITHIN = 5_000;
/** A warning: ours raise none, so that it says that a commit was not waited for. */
const WARNING = "01000";

/** What a statement is given. */
export type Parameter = string | number | Uint8Array | null;

/** A statement was refused: nothing of it was kept, and the connection is as good as before. */
export class Refused extends Error {
  /** SQLSTATE, 5 characters. */
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The part of the client library that is used. */
interface Client {
  unsafe(text: string, parameters: unknown[], options: object): Promise<Iterable<unknown>>;
}

/** See the head of this file. */
export class Connection {
  readonly at: PostgresHost;
  readonly #socket: Socket;
  readonly #client: Client;
  #broken: LogAway | undefined;

  private constructor(at: PostgresHost, socket: Socket, client: (on: Connection) => Client) {
    this.at = at;
    this.#socket = socket;
    this.#client = client(this);
    socket.on("error", (error) => this.#break("closed the connection", error));
    socket.on("close", () => this.#break("closed the connection"));
  }

  /**
   * Connects to one server; nothing was asked of it yet.
   *
   * @throws what went wrong, as the system, the client library or the server says it
   */
  static async open(
    target: PostgresTarget,
    at: PostgresHost,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { default: postgres } = await import("postgres");
    const socket = await openSocket(target, at, signal);
    let taken = false;
    return new Connection(at, socket, (connection) => {
      const options = {
        host: at.host,
        port: at.port,
        database: target.database,
        user: target.user,
        password: target.password(at) ?? "",
        connection: { application_name: "zgroup", client_encoding: "UTF8" },
        types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
        onnotice: ({ code }: { code?: string }) => {
          if (code === WARNING) connection.#break("did not wait for a standby");
        },
        // Once: another server, or the same one after a crash, would not have been looked at.
        socket: () => {
          if (taken) throw new Error("it closed the connection");
          taken = true;
          return socket;
        },
        max: 1,
        ssl: false,
        prepare: true,
        fetch_types: false,
        idle_timeout: 0,
        connect_timeout: 0,
        max_lifetime: null,
        max_pipeline: 16,
        keep_alive: 10,
        backoff: false,
        debug: false,
      };
      return postgres(options as object) as unknown as Client;
    });
  }

  /** False once nothing can be asked of it any more. */
  get usable(): boolean {
    return this.#broken === undefined;
  }

  /**
   * Runs one statement; what it changed is committed when this resolves.
   *
   * @throws {Refused} nothing was changed; {LogAway} unknown, and it is not usable any more
   */
  async query<Row = Record<string, unknown>>(
    text: string,
    parameters: readonly Parameter[] = [],
    within = ANSWER_WITHIN,
  ): Promise<Row[]> {
    if (this.#broken) throw this.#broken;
    const answer = this.#client.unsafe(text, [...parameters], { prepare: true });
    const silent = setTimeout(
      () => this.#break(`did not answer for ${Math.round(within / 1_000)} s`),
      within,
    );
    try {
      const rows = [...await answer] as Row[];
      if (this.#broken) throw this.#broken;
      return rows;
    } catch (error) {
      throw this.#meaning(error);
    } finally {
      clearTimeout(silent);
    }
  }

  /** Ends it without a word, so that nothing that runs on it is cancelled. */
  destroy(why = "is not asked any more"): void {
    this.#break(why);
  }

  #break(did: string, cause?: unknown): void {
    const { host, port } = this.at;
    this.#broken ??= new LogAway(`Cannot use the database at ${host}:${port}: it ${did}`, {
      cause,
    });
    this.#socket.destroy();
  }

  #meaning(error: unknown): unknown {
    if (this.#broken) return this.#broken;
    const { code, severity, message } = error as Record<string, string | undefined>;
    if (severity === "ERROR" && code) return new Refused(code, message ?? code, error);
    this.#break(`says "${message ?? code}"`, error);
    return this.#broken;
  }
}
