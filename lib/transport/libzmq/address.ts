/** What an address of this engine means to libzmq, and why one cannot be bound, by code. */

import { once } from "node:events";
import { lstat } from "node:fs/promises";
import { connect } from "node:net";
import { Refusal } from "../../errors.ts";

const IPC = "ipc://";
const TCP = "tcp://";

export function isIpc(address: string): boolean {
  return address.startsWith(IPC);
}

/** `host:port` and `ipc://path` as libzmq wants them. */
export function endpointOf(address: string): string {
  return isIpc(address) ? address : TCP + address;
}

export function addressOf(endpoint: string): string {
  return endpoint.startsWith(TCP) ? endpoint.slice(TCP.length) : endpoint;
}

/**
 * Refuses a path that is no free socket: libzmq deletes whatever stands there before it binds, be
 * it a file of somebody or the socket of a server that runs.
 *
 * @throws {Refusal} `bad_request`; {Error} with the code EADDRINUSE
 */
export async function checkIpc(address: string): Promise<void> {
  const path = address.slice(IPC.length);
  if (path === "" || path.startsWith("*") || path.startsWith("@")) return; // none in the file system
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) {
    throw new Refusal("bad_request", `Cannot bind ${address}: a file stands there, no socket`);
  }
  if (await answers(path)) {
    throw Object.assign(new Error("a server listens there"), { code: "EADDRINUSE" });
  }
}

/** Whether a server listens on a socket of the file system. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  const answer = await once(socket, "connect").then(() => true, () => false);
  socket.destroy();
  return answer;
}

export const TCP_REASONS = { EINVAL: "it should be IP:PORT" };
export const IPC_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "a server listens there; choose another path",
  EACCES: "the folder is not writable; choose another path",
  ENOENT: "there is no such folder; choose another path",
  ENAMETOOLONG: "the path is too long; choose a shorter one",
  EINVAL: "it should be ipc://PATH",
  EPROTONOSUPPORT: "this system has no sockets of that kind; choose IP:PORT",
};
