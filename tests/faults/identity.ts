/**
 * Who is not who it seems: a proof that is relayed, a look-alike at a group's own address, a registry
 * that answers with another group, a member that was removed and has the former key of the feed, one
 * that left and listens on. Nobody becomes a member, is told or is sent anything by any of it.
 */

import { Group, Registry } from "../support/inside.ts";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { IdentityChanged, Unreachable } from "../../lib/errors.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { openFeed, readFeedHead } from "../../lib/session/packet.ts";
import { connect } from "../../mod.ts";
import { until } from "../support.ts";
import { codeOf, Hand } from "../system/attack_hand.ts";
import { type Imposter, lookAlike, lyingRegistry } from "../system/imposters.ts";
import { type Fault, fault } from "./support/fault.ts";

const NAME = "Lab";

await fault(async (fault) => {
  await relayed(fault);
  await lookAlikes(fault);
  await lies(fault);
  await removed(fault);
});

/** Closed with the fault. */
async function kept<T extends AsyncDisposable>(fault: Fault, opening: Promise<T>): Promise<T> {
  const one = await opening;
  fault.onClose(() => one[Symbol.asyncDispose]());
  return one;
}

/** What a user proves to one group is no proof to another. */
async function relayed(fault: Fault): Promise<void> {
  const group = await kept(fault, Group.start({ name: NAME, memory: true, registries: [] }));
  for (let i = 0; i < fault.size(10, 200); i++) {
    await using party = await lookAlike({ name: `Party ${i}` });
    await using victim = await connect({ name: "victim", registries: [] });
    await victim.join(party.address);
    const { key, name, sig } = party.got.find(({ op }) => op === "prove")!;
    await using mallory = await Hand.open(group.address);
    const code = await codeOf(mallory.ask("prove", { key, name, sig }));
    fault.expect(code === "bad_proof", `a relayed proof: ${code}`);
    fault.count("relayed");
  }
}

/** Another group that listens where a known one did, under its name. */
async function lookAlikes(fault: Fault): Promise<void> {
  const data = join(fault.folder, "pinned");
  const start = (address: string) => Group.start({ name: NAME, data, address, registries: [] });
  let group = await kept(fault, start("127.0.0.1:0"));
  const { address } = group;
  const user = await kept(fault, connect({ name: "member", registries: [] }));
  await user.join(address);
  const before = user.joined()[0].key;
  for (let i = 0; i < fault.size(2, 20); i++) {
    await group.close();
    await using imposter = await lookAlike({ name: NAME, address });
    const refusal = await user.send(NAME, `secret ${i}`).then(() => undefined, (error) => error);
    expectNothing(fault, imposter, "a look-alike at the same address");
    const good = refusal instanceof IdentityChanged || refusal instanceof Unreachable;
    fault.expect(good, `a look-alike at the same address: ${refusal ?? "it was sent the message"}`);
    fault.expect(imposter.sessions > 0, "nobody looked who is there");
    await imposter[Symbol.asyncDispose]();
    group = await kept(fault, start(address));
    await user.send(NAME, `after ${i}`, { within: 20_000 });
    fault.count("look_alikes");
  }
  fault.expect(user.joined()[0].key === before, "the member knows another key");
}

function expectNothing(fault: Fault, imposter: Imposter, who: string): void {
  const told = imposter.got.map(({ op }) => op).join(", ");
  fault.expect(imposter.got.length === 0, `${who} was told: ${told}`);
}

/** Who looks for a group and is answered with another joins neither. */
async function lies(fault: Fault): Promise<void> {
  const honest = await kept(fault, Registry.start({ port: 0 }));
  const registries = [honest.address];
  const other = await kept(fault, Group.start({ name: "Other", memory: true, registries }));
  const reader = await kept(fault, connect({ name: "reader", registries }));
  const listing = await until(async () => (await reader.list())[0], 10_000, "the listing");
  await using liar = await lyingRegistry(() => listing);
  const user = await kept(fault, connect({ name: "seeker", registries: [liar.address] }));
  const named = await user.join(NAME).then(() => "joined", () => "refused");
  fault.expect(named === "refused", `a registry that answers with another group: ${named}`);
  fault.expect(other.group.state.members.get(user.id) === undefined, "it is a member there");
  fault.count("lies");
}

/** One who was removed, and one who left, while others talk. */
async function removed(fault: Fault): Promise<void> {
  const home = join(fault.folder, "home");
  const group = await kept(
    fault,
    Group.start({ name: NAME, home, memory: true, registries: [], rate: Infinity }),
  );
  const founder = await kept(fault, connect({ home, name: "founder", registries: [] }));
  await founder.join(group.address);
  for (let i = 0; i < fault.size(3, 50); i++) {
    await using friend = await Hand.member(group.address, { name: "friend" });
    await using spy = await Hand.member(group.address, { name: `spy ${i}` });
    await using leaver = await Hand.member(group.address, { name: `leaver ${i}` });
    const [, former] = await Promise.all([friend, spy, leaver].map((one) => one.ask("subscribe")));
    await leaver.ask("leave");
    leaver.feed.length = leaver.pushes.length = 0;
    await founder.act(NAME, { action: "remove", user: spy.user });
    await friend.ask("ping");
    friend.feed.length = 0; // From here on nothing is for the spy.
    for (let n = 0; n < 5; n++) await founder.send(NAME, `in private ${i} ${n}`);
    await until(
      async () => (await friend.ask("ping"), friend.feed.length > 0),
      10_000,
      "the friend to hear",
    );
    await leaver.ask("ping");
    const heard = leaver.feed.length + leaver.pushes.length;
    fault.expect(heard === 0, "one who left is told what comes after");
    const keys = [former, ...friend.pushes].map(({ key }) => String(key));
    const read = (key: string) => friend.feed.filter((packet) => opens(packet, key)).length;
    fault.expect(read(keys[0]) === 0, "one who was removed reads on with the former key");
    fault.expect(keys.some((key) => read(key) > 0), "the friend cannot read, either");
    fault.count("removed");
    await until(() => spy.wire.tcp.ended, 10_000, "the removed one to be cut");
  }
}

function opens(packet: Uint8Array, key: string): boolean {
  try {
    openFeed(sealingKey(Buffer.from(key, "base64url")), readFeedHead(packet)!.counter, packet);
    return true;
  } catch {
    return false;
  }
}
