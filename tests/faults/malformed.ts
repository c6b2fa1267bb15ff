/**
 * Mutated frames, and bytes that are no frames at all, at every socket of registry and group: no
 * crash, no entry, no memory kept, no defect met, and every good request answered meanwhile.
 */

import { connect as connectTcp } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { XSubscriber } from "zeromq";
import { decodeReply, isOurs } from "../../lib/protocol/codec.ts";
import type { Frames } from "../../lib/transport/transport.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { Child } from "./support/children.ts";
import { joined } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { Mutator } from "./support/mutate.ts";
import { answers, GroupProcess } from "./support/servers.ts";

/** Messages between two good requests. */
const CHUNK = 250;
/** Memory that may be kept after all, MB. */
const KEPT = 10;

interface Target {
  readonly what: "registry" | "group" | "door" | "live";
  readonly address: string;
  /** Where a ping is answered that proves the process alive, and by which key. */
  readonly ping: readonly [address: string, serverKey: string];
  readonly serverKey?: string;
  readonly child: Child;
}

const vectors: { to: string; frames: string[] }[] = JSON.parse(
  readFileSync(new URL("../vectors/requests.json", import.meta.url), "utf8"),
);

/** Sends what a mutator makes, in the way of a socket. */
type Send = (message: Uint8Array[]) => void;

await fault(async (fault) => {
  const registry = new Child("programs/registry.ts", ['{"port":0}']);
  fault.onClose(() => registry.kill());
  const registries = [(await registry.line()).split(" ")[1]];
  const start = async (name: string, plain: boolean) => {
    const data = join(fault.folder, name);
    const options = { name, address: "127.0.0.1:0", data, registries, plain };
    const group = new GroupProcess(options);
    await group.start();
    fault.onClose(() => group.child.kill());
    return group;
  };
  const [open, closed] = [await start("Open", true), await start("Closed", false)];
  const [member] = await joined(fault, registries, "Closed", ["member"]);
  const listing = (await member.list()).find(({ name }) => name === "Closed")!;
  const serverKey = listing.record!.curve;
  const heads = async () => {
    await member.join("Open");
    return await Promise.all(["Open", "Closed"].map(async (name) => {
      let head = 0;
      for await (const { seq } of member.read(name, { last: true, limit: 1 })) head = seq;
      return head;
    }));
  };
  const before = await heads();
  const pingOpen = [open.address, ""] as const;
  const targets: Target[] = [
    { what: "registry", address: registries[0], ping: [registries[0], ""], child: registry },
    { what: "group", address: open.address, ping: pingOpen, child: open.child },
    { what: "live", address: open.live, ping: pingOpen, child: open.child },
    {
      what: "door",
      address: closed.door,
      ping: [closed.door, serverKey],
      serverKey,
      child: closed.child,
    },
  ];
  for (const target of targets) await attack(fault, target);
  const after = await heads();
  fault.figure("entries", after[0] + after[1] - before[0] - before[1]);
  fault.expect(after.join() === before.join(), "mutated frames made entries");
  for (const child of [registry, open.child, closed.child]) {
    fault.expect(await child.stop() === 0, `a server ended badly: ${child.errors}`);
  }
});

async function attack(fault: Fault, target: Target): Promise<void> {
  const { what, ping, child } = target;
  const good = vectors
    .filter(({ to }) => to === what || what === "live")
    .map(({ frames }) => frames);
  const mutator = new Mutator(fault, good);
  const { send, close } = sender(fault, target);
  const round = async (count: number) => {
    for (let i = 0; i < count; i += CHUNK) {
      for (let j = 0; j < CHUNK; j++) send(mutator.next());
      if (i % (20 * CHUNK) === 0) await rawBytes(fault, target, mutator);
      await answers(...ping, 20_000);
    }
    fault.count(`${what}_frames`, count);
  };
  const count = fault.size(5_000, 100_000);
  // What the first ones make the engine keep is not counted: code, pools, the heap's working size.
  await round(Math.max(2_500, count / 4));
  const settled = await child.memory();
  await round(count);
  const kept = await child.memory() - settled;
  fault.figure(`${what}_mb`, kept);
  fault.bound(kept <= KEPT, `${what} kept ${Math.round(kept)} MB`);
  await close();
}

/** A way to send anything to a socket. */
function sender(
  fault: Fault,
  { what, address, serverKey }: Target,
): { send: Send; close(): Promise<void> } {
  if (what !== "live") {
    const security = serverKey ? { security: { serverKey } } : {};
    const onMessage = (frames: Frames) => {
      fault.expect(!isInternal(frames), `${what} met a defect of its own`);
    };
    const channel = zmqTransport().connect({ address, ...security, onMessage });
    return { send: (message) => void channel.send(message), close: () => channel.close() };
  }
  const socket = new XSubscriber({ linger: 0, sendTimeout: 0, receiveTimeout: 0 });
  socket.connect(`tcp://${address}`);
  return {
    send: (message) => void socket.send(message).catch(() => {}),
    close: () => Promise.resolve(socket.close()),
  };
}

/** Whether a reply says that the request was read and then failed in the server. */
function isInternal(frames: Frames): boolean {
  if (!isOurs(frames)) return false;
  const reply = decodeReply(frames);
  return "error" in reply && reply.error.code === "internal";
}

/** Bytes that are no ZeroMQ, or its greeting and then anything. */
async function rawBytes(fault: Fault, { address }: Target, mutator: Mutator): Promise<void> {
  const [host, port] = address.split(":");
  const greeting = Uint8Array.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
  await new Promise<void>((resolve) => {
    const socket = connectTcp(Number(port), host, () => {
      if (fault.int(0, 2) === 0) socket.write(greeting);
      for (const bytes of mutator.next()) socket.write(bytes);
      socket.end();
    });
    socket.on("error", () => {}).on("close", () => resolve());
    socket.setTimeout(1_000, () => socket.destroy());
  });
}
