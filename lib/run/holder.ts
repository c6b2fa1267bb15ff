/** The holder of a folder answers requests, one after the other; see `requests.ts`. */

import { randomUUID, timingSafeEqual } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { save } from "../disk/files.ts";
import { Closed, UsageError } from "../errors.ts";
import { randomToken } from "../identity/keys.ts";
import type { Watch } from "../log/log.ts";
import { unlessAborted } from "../transport/waiting.ts";
import {
  type Answer,
  type Check,
  failureOf,
  type Handle,
  MAX_QUESTION,
  type Note,
  note,
  noteFile,
  type Question,
  SAYS_EVERY,
  toLine,
} from "./requests.ts";

/** Connections at once; more are closed. */
const MAX_CONNECTIONS = 256;
/** Of those, the ones that have not asked yet; of more, the oldest is cut. */
const MAX_SILENT = 64;
/** A connection asks within this, and takes its answer, ms. */
const SILENT_FOR = 5_000;
/** Requests that wait, and the one in work. */
const MAX_REQUESTS = 16;
/** What may lie unread at an asker, bytes. */
const MAX_UNREAD = 65_536;
/** The longest path of a socket that every system takes, bytes. */
const MAX_PATH = 100;
/** How folders begin of sockets that do not fit into their own. */
const ELSEWHERE = "zgroup-holder-";

/** Answers the requests about one folder until it is closed. */
export class Holder<Request extends object> {
  readonly #check: Check<Request>;
  readonly #handle: Handle<Request>;
  readonly #answered: () => void;
  readonly #token = randomToken();
  readonly #server: Server;
  readonly #silent = new Set<Socket>();
  readonly #sockets = new Set<Socket>();
  readonly #stop = new AbortController();
  #requests = 0;
  #last: Promise<unknown> = Promise.resolve();
  #leave: () => void = () => {};

  /** @param answered called when a request is done, and who asked has its answer or left */
  constructor(
    check: Check<Request>,
    handle: Handle<Request>,
    answered: () => void = () => {},
  ) {
    this.#check = check;
    this.#handle = handle;
    this.#answered = answered;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /**
   * Listens, and notes in the folder where. The caller holds the folder: what an earlier holder
   * left there is removed.
   *
   * @throws what the system says where there can be no socket
   */
  async listen(folder: string): Promise<void> {
    removeFormer(folder);
    const socket = await this.#bind(folder);
    this.#leave = () => {
      // Another may hold the folder by now.
      if (note(folder)?.token === this.#token) rmSync(noteFile(folder), { force: true });
      remove(socket);
    };
    try {
      if (process.platform !== "win32") chmodSync(socket, 0o600);
      save(noteFile(folder), { socket, token: this.#token } satisfies Note);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Does what is asked when all that was asked before is done. @throws {Closed} */
  submit(request: Request, watch: Watch): Promise<object> {
    const work = this.#last.then(async () => {
      if (this.#stop.signal.aborted) throw new Closed("Cannot do it: the folder is let go");
      watch.signal?.throwIfAborted();
      watch.progress?.(0, 0);
      const signals = [this.#stop.signal, ...(watch.signal ? [watch.signal] : [])];
      return await this.#handle(request, { ...watch, signal: AbortSignal.any(signals) });
    });
    this.#last = work.catch(() => {});
    return work;
  }

  /** Ends what is in work, without an answer, and resolves when nothing is. Again is harmless. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#leave();
    this.#leave = () => {};
    await this.#last;
  }

  /** Listens in the folder, else in a private one of its own. */
  async #bind(folder: string): Promise<string> {
    if (process.platform === "win32") {
      return await listening(this.#server, `\\\\.\\pipe\\zgroup-${randomToken()}`);
    }
    const inside = join(resolve(folder), `holder-${randomUUID().slice(0, 8)}.sock`);
    if (new TextEncoder().encode(inside).length <= MAX_PATH) {
      try {
        return await listening(this.#server, inside);
      } catch {
        // Not every file system has sockets.
      }
    }
    return await listening(this.#server, join(mkdtempSync(join(tmpdir(), ELSEWHERE)), "s"));
  }

  #accept(socket: Socket): void {
    if (this.#sockets.size >= MAX_CONNECTIONS) return void socket.destroy();
    if (this.#silent.size >= MAX_SILENT) {
      const [oldest] = this.#silent;
      this.#silent.delete(oldest);
      oldest.destroy();
    }
    this.#silent.add(socket);
    this.#sockets.add(socket);
    const late = setTimeout(() => socket.destroy(), SILENT_FOR);
    socket.on("error", () => {}); // "close" follows.
    socket.once("close", () => {
      clearTimeout(late);
      this.#silent.delete(socket);
      this.#sockets.delete(socket);
    });
    let said = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      if (!this.#silent.has(socket)) return; // It has asked; there is nothing more to say.
      said += text;
      const end = said.indexOf("\n");
      if (end < 0 && said.length <= MAX_QUESTION) return;
      clearTimeout(late);
      this.#silent.delete(socket);
      void this.#answer(socket, said.slice(0, Math.max(0, end)));
    });
  }

  /** Answers one request; it ends with its connection. */
  async #answer(socket: Socket, line: string): Promise<void> {
    const gone = new AbortController();
    socket.once("close", () => gone.abort());
    let state: Answer = { waiting: true };
    const say = (answer: Answer) => {
      if (socket.writableLength > MAX_UNREAD) socket.destroy();
      else if (!socket.destroyed) socket.write(toLine(answer));
    };
    const ticking = setInterval(() => say(state), SAYS_EVERY);
    this.#requests++;
    let work: Promise<object> | undefined;
    try {
      const request = this.#checked(line);
      if (this.#requests > MAX_REQUESTS) {
        throw new UsageError("Cannot take the request: too many wait already; try again later");
      }
      say(state);
      work = this.submit(request, {
        signal: gone.signal,
        progress(done, total) {
          const begins = "waiting" in state;
          state = { progress: [done, total] };
          if (begins) say(state);
        },
      });
      const ok = await unlessAborted(work, gone.signal, () => new Closed("The asker left"));
      say({ ok });
    } catch (error) {
      if (this.#stop.signal.aborted || error instanceof Closed) socket.destroy();
      else say({ error: failureOf(error) });
    } finally {
      this.#requests--;
      clearInterval(ticking);
      void Promise.allSettled([work, taken(socket)]).then(() => this.#answered());
    }
  }

  /** The request of a line. @throws {UsageError} it is none, or whoever sent it may not read the folder */
  #checked(line: string): Request {
    let asked: Partial<Question> | null;
    try {
      asked = JSON.parse(line);
    } catch (cause) {
      throw new UsageError("Cannot take the request: it is no line of JSON", { cause });
    }
    if (!sameText(asked?.token, this.#token)) {
      throw new UsageError("Cannot take the request: it does not come from the folder's owner");
    }
    const request = this.#check(asked?.request);
    if (request) return request;
    throw new UsageError(
      "Cannot take the request: what runs is another version of zgroup, which does not know it; " +
        "end that and start it again",
    );
  }
}

/** Ends a connection; resolves when its peer has read all, or has not within 5 s. */
async function taken(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  socket.end();
  const late = setTimeout(() => socket.destroy(), SILENT_FOR);
  await promise;
  clearTimeout(late);
}

function sameText(given: unknown, wanted: string): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [given, wanted].map((text) => new TextEncoder().encode(text));
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Listens at a path, which is answered. */
function listening(server: Server, path: string): Promise<string> {
  return new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(path, () => {
      server.off("error", fail);
      done(path);
    });
  });
}

/** Removes what holders left that were killed. */
function removeFormer(folder: string): void {
  const former = readdirSync(folder).filter((name) => /^holder-\w+\.sock$/.test(name));
  for (const name of former) remove(join(folder, name));
  const { socket = "" } = note(folder) ?? {};
  if (isElsewhere(socket)) remove(socket);
}

function isElsewhere(socket: string): boolean {
  return dirname(dirname(socket)) === tmpdir() && basename(dirname(socket)).startsWith(ELSEWHERE);
}

/** Removes a socket, and its folder where that is its own. */
function remove(socket: string): void {
  if (process.platform === "win32") return;
  rmSync(socket, { force: true });
  if (!isElsewhere(socket)) return;
  try {
    rmdirSync(dirname(socket));
  } catch {
    // It is gone, or not ours to remove.
  }
}
