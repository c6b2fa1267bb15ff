/** A socket to a server of PostgreSQL, sealed as the URL says. */

import { Buffer } from "node:buffer";
import { connect, isIP, type Socket } from "node:net";
import tls from "node:tls";
import type { PostgresHost, PostgresTarget } from "./postgres_url.ts";

/** What asks a server for TLS: length and code of the request. */
const ASK_TLS = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = "S".charCodeAt(0);
/** A server is asked whether it is there after so long a silence, ms. */
const KEEP_ALIVE = 10_000;

/** The socket, once it may be spoken on. Rejects with what went wrong, and ends with `signal`. */
export async function openSocket(
  target: PostgresTarget,
  { host, port }: PostgresHost,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true, keepAlive: true });
  socket.setKeepAlive(true, KEEP_ALIVE);
  const end = () => socket.destroy(silence());
  signal.addEventListener("abort", end);
  try {
    await happens(socket, "connect");
    return target.sslMode === "disable" ? socket : await seal(socket, target, host);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

/** As the system says it, sooner. */
function silence(): Error {
  return Object.assign(new Error("it does not answer"), { code: "ETIMEDOUT" });
}

async function seal(
  socket: Socket,
  { sslMode, authorities }: PostgresTarget,
  host: string,
): Promise<Socket> {
  const answered = happens<Buffer>(socket, "data");
  socket.write(ASK_TLS);
  const answer = await answered;
  // More than one byte was put in by somebody who is not the server.
  if (answer.length !== 1) throw new Error("it did not answer as PostgreSQL does");
  if (answer[0] !== YES) {
    if (sslMode === "prefer") return socket;
    throw new Error(`it has no TLS, which sslmode=${sslMode} asks for`);
  }
  const sealed = tls.connect({
    socket,
    ...(isIP(host) ? {} : { servername: host }),
    ...(authorities === undefined ? {} : { ca: authorities }),
    rejectUnauthorized: sslMode.startsWith("verify"),
    checkServerIdentity: (_, certificate) =>
      sslMode === "verify-full" ? tls.checkServerIdentity(host, certificate) : undefined,
  });
  try {
    await happens(sealed, "secureConnect");
    return sealed;
  } catch (error) {
    sealed.destroy();
    throw error;
  }
}

/** Waits for the next event of a name, and rejects when the socket fails or closes before it. */
function happens<T = void>(socket: Socket, event: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const off = () => {
      socket.off(event, done).off("error", failed).off("close", closed);
    };
    const done = (value: T) => {
      off();
      resolve(value);
    };
    const failed = (error: Error) => {
      off();
      reject(error);
    };
    const closed = () => failed(new Error("it closed the connection"));
    socket.on(event, done).on("error", failed).on("close", closed);
  });
}
