/**
 * Rubbish at registry and group: bytes that are no ZMTP, packets that are of no session, and sealed
 * requests that are wrong, of strangers who proved a key and of a member. No crash, no entry where
 * none is due, no memory kept, no defect met; every sealed request is answered, and every good
 * request of others meanwhile.
 */

import { connect as connectTcp } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Refusal } from "../../lib/errors.ts";
import { splitRegistry } from "../../lib/text/addresses.ts";
import { RawMember } from "../system/raw_session.ts";
import { heldBy } from "./support/audit.ts";
import { Child } from "./support/children.ts";
import { joined } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { Mutator } from "./support/mutate.ts";
import { answers, startGroup } from "./support/servers.ts";

/** Requests between two good ones of others, all in one session. */
const CHUNK = 250;
/** Connections of strangers in the same time, and chunks after which the session is another. */
const STRANGERS = 10;
const CHUNKS = 10;
/** What the heap, and the process, may keep of them, MB: the allocator alone goes up and down by 20. */
const KEPT = { heap: 5, all: 40 };
/** Longest request that is sent, bytes, and how many at once; beyond, who asks is cut or slowed. */
const MOST = { registry: 60_000, plain: 3_500, group: 1_000_000, member: 1_000_000 } as const;
const AT_ONCE = { registry: CHUNK, plain: CHUNK / 10, group: CHUNK, member: CHUNK } as const;

interface Target {
  readonly what: keyof typeof MOST;
  readonly address: string;
  readonly child: Child;
}

const vectors: { to: string; json: string }[] = JSON.parse(
  readFileSync(new URL("../vectors/requests.json", import.meta.url), "utf8"),
);

await fault(async (fault) => {
  const registry = new Child("programs/registry.ts", ['{"port":0}']);
  fault.onClose(() => registry.kill());
  const registries = [(await registry.line()).split(" ")[1]];
  const start = async (name: string, more: { plain?: boolean; private?: boolean }) => {
    const data = join(fault.folder, name);
    const group = await startGroup(fault, { name, data, registries, ...more });
    return group;
  };
  const plain = await start("Plain", { plain: true });
  // Who proves a key here is no member, and cannot become one.
  const closed = await start("Closed", { private: true });
  const open = await start("Open", {});
  const [member] = await joined(fault, registries, "Plain", ["member"]);
  const head = async () => {
    for await (const { seq } of member.read("Plain", { last: true, limit: 1 })) return seq;
  };
  const before = await head();
  const { address } = splitRegistry(registries[0])!;
  await attack(fault, { what: "registry", address, child: registry });
  await attack(fault, { what: "plain", address: plain.address, child: plain.child });
  await attack(fault, { what: "group", address: closed.address, child: closed.child });
  await attack(fault, { what: "member", address: open.address, child: open.child });
  fault.expect(await head() === before, "strangers made entries");
  for (const child of [registry, plain.child, closed.child, open.child]) {
    fault.expect(await child.stop() === 0, `a server ended badly: ${child.errors}`);
  }
  const made = await heldBy(join(fault.folder, "Closed"), fault);
  fault.figure("entries", made.length);
  fault.expect(made.length === 0, `${made.length} messages of those who may not enter`);
  await heldBy(join(fault.folder, "Open"), fault); // What a member may say badly is whole in the log.
});

async function attack(fault: Fault, target: Target): Promise<void> {
  const { what, address, child } = target;
  const to = what === "registry" ? "registry" : "group";
  const mutator = new Mutator(
    fault,
    vectors.filter((one) => one.to === to).map(({ json }) => json),
  );
  const many = AT_ONCE[what];
  const round = async (count: number) => {
    let peer: RawMember | undefined;
    try {
      for (let i = 0; i * many < count; i++) {
        if (i % CHUNKS === 0) {
          await peer?.[Symbol.asyncDispose]();
          peer = await enter(target);
        }
        await chunk(fault, what, peer!, mutator);
        if (what === "member") await rejoin(peer!);
        for (let j = 0; j < STRANGERS; j++) await stranger(address, mutator.stream());
        await answers(address, 20_000);
      }
    } finally {
      await peer?.[Symbol.asyncDispose]();
    }
    fault.count(`${what}_requests`, count);
  };
  const count = fault.size(20, 400) * many;
  // What the first ones make the engine keep is not counted: code, pools, the shapes of objects. It
  // grows ever more slowly over about 120,000 requests.
  await round(fault.size(count / 2, count));
  const settled = await child.memory();
  await round(count);
  const kept = await child.memory();
  for (const part of ["heap", "all"] as const) {
    const more = kept[part] - settled[part];
    fault.figure(`${what}_${part}_mb`, more);
    fault.bound(more <= KEPT[part], `${what} kept ${Math.round(more)} MB (${part})`);
  }
}

/** A session there: of nobody, of somebody who proved a key, or of a member. */
async function enter({ what, address }: Target): Promise<RawMember> {
  if (what === "plain") return await RawMember.open(address);
  if (what === "registry") {
    const peer = await RawMember.open(address);
    await peer.ask("ping");
    return peer;
  }
  const peer = await RawMember.proved(address);
  if (what === "member") await peer.ask("join");
  return peer;
}

/** It may have left without meaning it. */
async function rejoin(peer: RawMember): Promise<void> {
  await peer.ask("join").catch((error) => {
    if (!(error instanceof Refusal)) throw error;
  });
}

/** Many requests at once in one session, and a reply for each. */
async function chunk(
  fault: Fault,
  what: Target["what"],
  { session }: RawMember,
  mutator: Mutator,
): Promise<void> {
  for (let i = 0; i < AT_ONCE[what]; i++) session.say(mutator.request(MOST[what]));
  for (let i = 0; i < AT_ONCE[what]; i++) {
    const { error } = await session.reply();
    const internal = error instanceof Refusal && error.code === "internal";
    fault.expect(!internal, `${what} met a defect of its own`);
  }
}

/** One connection that sends bytes and leaves. */
async function stranger(address: string, bytes: Uint8Array): Promise<void> {
  const [host, port] = address.split(":");
  await new Promise<void>((resolve) => {
    const socket = connectTcp(Number(port), host, () => socket.end(bytes));
    socket.on("error", () => {}).on("close", () => resolve()).resume();
    socket.setTimeout(1_000, () => socket.destroy());
  });
}
