/** Registries and announcers over real sockets, and ways to them from other addresses. */

import { connect, createServer, type Socket } from "node:net";
import { Announcer, type AnnouncerOptions } from "../../lib/group/announcer.ts";
import { groupId, newSigningKey, randomToken, type SigningKey } from "../../lib/identity/keys.ts";
import { RECORD_LIFE } from "../../lib/protocol/limits.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { RegistryServer, type RegistryServerOptions } from "../../lib/registry/server.ts";
import { type RegistryClient, registryClient } from "../../lib/session/registry_client.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";

export const LOCAL = "127.0.0.1:0";
export const transport = zmtpTransport();

/** A log that is kept. */
export function kept() {
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  return { said, debug: say, info: say, warn: say };
}

/** A registry, and what it logs. */
export async function registryAt(options: Partial<RegistryServerOptions> = {}) {
  const logger = kept();
  const key = newSigningKey();
  const registry = await RegistryServer.start({
    transport,
    address: LOCAL,
    key,
    logger,
    ...options,
  });
  return Object.assign(registry, { said: logger.said });
}

/** An announcer of a group at an address where nothing is, and what it says. */
export function announcerOf(name: string, options: Partial<AnnouncerOptions>) {
  const { said, info, warn } = kept();
  const key = options.key ?? newSigningKey();
  const nonce = randomToken();
  const announcer = new Announcer({
    announcement: {
      ...{ id: groupId(key.publicKey, name, nonce), name, access: "open", nonce },
      ...{ address: "127.0.0.1:1", key: key.publicKey },
    },
    key,
    registries: [],
    transport,
    pins: new Map<string, string>(),
    now: Date.now,
    info,
    warn,
    ...options,
  });
  const end = { [Symbol.asyncDispose]: () => announcer.close() };
  return Object.assign(announcer, end, { said });
}

/** A client that believes whoever answers. */
export function clientOf(address: string): RegistryClient {
  return registryClient({
    transport,
    address,
    pins: new Map<string, string>(),
    wayOut: "ask again",
  });
}

/** A record of a group that is nowhere. */
export function recordOf(name: string, key: SigningKey = newSigningKey()): GroupRecord {
  const [nonce, version] = [randomToken(), Date.now()];
  const id = groupId(key.publicKey, name, nonce);
  const address = "127.0.0.1:1";
  const record = { id, name, access: "open" as const, address, key: key.publicKey, nonce };
  return signRecord({ ...record, version, expires: version + RECORD_LIFE }, key);
}

/** Forwards connections to an address as if they came from `ip`; says where. */
export async function from(ip: string, address: string) {
  const [host, port] = address.split(":");
  const sockets = new Set<Socket>();
  const pairs: { inner: Socket; outer: Socket }[] = [];
  const server = createServer((inner) => {
    const outer = connect({ host, port: Number(port), localAddress: ip });
    pairs.push({ inner, outer });
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        inner.destroy();
        outer.destroy();
      });
    }
    inner.pipe(outer);
    outer.pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    /** From now on nothing is read of what the other end says. */
    stopReading() {
      for (const { inner, outer } of pairs) {
        outer.unpipe(inner);
        outer.pause();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Something that listens at an IP, and counts who comes. */
export function door(ip: string) {
  return doorAt(`${ip}:0`);
}

/** The same at an address. */
export async function doorAt(address: string) {
  const [ip, port] = address.split(":");
  let knocks = 0;
  const server = createServer((socket) => {
    knocks++;
    socket.on("error", () => {});
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(Number(port), ip, resolve));
  return {
    address: `${ip}:${(server.address() as { port: number }).port}`,
    knocks: () => knocks,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
