/** A group is who it proves to be: what looks like it gets nothing, and trust is given by people. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  connect,
  Group,
  IdentityChanged,
  Registry,
  Unreachable,
  type User,
  type UserEvent,
} from "../../mod.ts";
import { newSigningKey, randomToken, shortKey } from "../../lib/identity/keys.ts";
import { sqliteStore } from "../../lib/store/sqlite_user_store.ts";
import { encodeInvite, parseInvite } from "../../lib/protocol/invite.ts";
import { ticketBytes } from "../../lib/session/ticket.ts";
import { closing, until } from "../support.ts";
import { type Imposter, lookAlike, lyingRegistry } from "./imposters.ts";
import type { Keep } from "./live_world.ts";
import { RawMember } from "./raw_session.ts";
import { bare, Folder } from "./world.ts";

/** A registry, a group, and one who has joined it. */
async function world(keep: Keep) {
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const data = keep(new Folder()).path;
  const lab = keep(await Group.start({ name: "Lab", registries, data }));
  const alice = keep(await connect({ name: "alice", registries }));
  const { key } = await alice.join("Lab");
  return { registry, registries, data, lab, alice, key };
}

/** Looks for both short keys, and for what a person can do. */
function says(error: unknown, before: string, now: string, wayOut: string): true {
  assert.ok(error instanceof IdentityChanged, String(error));
  for (const part of [shortKey(before), shortKey(now), wayOut]) {
    assert.ok(error.message.includes(part), `"${part}" is not in: ${error.message}`);
  }
  return true;
}

/** Users have come to it, and have said nothing in a session that they did not trust. */
async function gotNothing(imposter: Imposter): Promise<void> {
  await until(() => imposter.sessions > 0, 5_000, "somebody came to the look-alike");
  assert.deepEqual(imposter.got, []);
}

function warningsOf(user: User): string[] {
  const warnings: string[] = [];
  user.on((event: UserEvent) => {
    if (event.type === "warning") warnings.push(event.text);
  });
  return warnings;
}

test("identity: another group at the address of a known one gets no byte", () =>
  closing(async (keep) => {
    const { lab, alice, key } = await world(keep);
    const { address } = lab;
    await lab.close();
    const imposter = keep(await lookAlike({ address }));
    const sent = alice.send("Lab", "for the Lab alone", { within: Infinity });
    const right = (error: unknown) => says(error, key, imposter.key.publicKey, 'trust "Lab"');
    await assert.rejects(sent, right);
    await assert.rejects(alice.join("Lab"), right);
    await assert.rejects(alice.join(address), right);
    await assert.rejects(Array.fromAsync(alice.read("Lab")), right);
    await assert.rejects(alice.follow("Lab").next(), right);
    await gotNothing(imposter);
  }));

test("identity: a stranger at another address does not get the name of a known group", () =>
  closing(async (keep) => {
    const { alice, key } = await world(keep);
    const imposter = keep(await lookAlike());
    await assert.rejects(
      alice.join(imposter.address),
      (error) => says(error, key, imposter.key.publicKey, 'trust "Lab"'),
    );
    await gotNothing(imposter);
    const { address } = await alice.join("Lab");
    assert.notEqual(address, imposter.address);
    const other = keep(await lookAlike({ name: "Chess" }));
    assert.equal((await alice.join(other.address)).name, "Chess");
    assert.deepEqual(alice.joined().map(({ key }) => key), [other.key.publicKey, key]);
  }));

test("identity: who repeats a known group's record and signs with another key is not believed", () =>
  closing(async (keep) => {
    const { lab, alice } = await world(keep);
    const { address } = lab;
    await using anybody = await RawMember.open(address);
    const { identity } = anybody.session;
    await lab.close();
    const imposter = keep(await lookAlike({ address, says: () => identity }));
    const sent = alice.send("Lab", "for the Lab alone", { within: Infinity });
    await assert.rejects(sent, { name: "BadReply", message: /the group "Lab".*signature/ });
    assert.deepEqual(imposter.got, []);
  }));

test("identity: an invite counts for the group that it was made for, wherever it leads", () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const home = keep(new Folder()).path;
    const lab = keep(await Group.start({ name: "Lab", registries, home }));
    const founder = keep(await connect({ registries, home }));
    await founder.join("Lab");
    const link = await founder.invite("Lab");
    const invite = parseInvite(link)!;
    assert.equal(invite.registry, registry.address, "with the registry's key");
    assert.deepEqual(invite.id, founder.joined()[0].id);

    // Who has the invite and not the key.
    const imposter = keep(await lookAlike());
    const bob = keep(await connect({ name: "bob", registries: [bare(registry.address)] }));
    for (
      const forged of [
        link.replace(lab.address, imposter.address),
        link.replace(invite.token, randomToken()),
        link.slice(0, -1),
        link.slice(0, link.lastIndexOf("/")),
      ]
    ) {
      assert.notEqual(forged, link);
      await assert.rejects(bob.join(forged), { name: "UsageError" });
    }
    assert.equal(imposter.sessions, 0);
    assert.deepEqual(bob.registryKeys().map(({ key }) => key), [undefined]);
    await bob.join(link);
    assert.deepEqual(bob.registryKeys(), [{
      address: bare(registry.address),
      key: registry.address.split("#")[1],
      given: false,
    }]);

    // A whole invite of another group with the same name.
    const other = encodeInvite({ ...invite, id: imposter.record.id, address: imposter.address });
    await assert.rejects(
      bob.join(other),
      (error) =>
        error instanceof IdentityChanged &&
        error.message.includes(`its id is ${imposter.record.id}`),
    );
    assert.equal(imposter.sessions, 0);

    // The right one, said to be elsewhere: nothing is told there, and the registry knows where it is.
    await bob.join(encodeInvite({ ...invite, address: imposter.address }));
    await gotNothing(imposter);
    assert.equal(bob.joined()[0].address, lab.address);

    // Another one where the invite leads.
    await lab.close();
    const late = keep(await lookAlike({ address: lab.address }));
    const carol = keep(await connect({ name: "carol", registries }));
    await assert.rejects(
      carol.join(link),
      (error) =>
        error instanceof IdentityChanged && error.message.includes(`has the id ${invite.id}`),
    );
    await gotNothing(late);
    assert.deepEqual(carol.joined(), []);
  }));

test("identity: a registry that answers with another group than was asked for is passed by, and told", () =>
  closing(async (keep) => {
    const { registry, key } = await world(keep);
    const evil = keep(await lookAlike({ name: "Evil" }));
    const { record } = evil;
    const listing = { name: "Evil", address: evil.address, state: "live", record } as const;
    const liar = keep(await lyingRegistry(() => listing));
    const alone = keep(await connect({ name: "bob", registries: [liar.address] }));
    const warnings = warningsOf(alone);
    await assert.rejects(alone.join("Lab"), { name: "Refusal", code: "not_found" });
    assert.match(warnings.join(), new RegExp(`registry at ${liar.address}.*another group.*"Lab"`));

    const both = keep(
      await connect({ name: "carol", registries: [liar.address, registry.address] }),
    );
    assert.equal((await both.join("Lab")).key, key);
    assert.equal(evil.sessions, 0);
    assert.deepEqual(liar.got.filter((request) => JSON.stringify(request).includes(both.id)), []);
  }));

test("identity: a registry that lists another group under a known name does not move the member", () =>
  closing(async (keep) => {
    const { registry, alice, key } = await world(keep);
    const imposter = keep(await lookAlike());
    const { address, record } = imposter;
    const liar = keep(await lyingRegistry(() => ({ name: "Lab", address, state: "live", record })));
    const home = keep(new Folder()).path;
    const join = async (registries: string[]) => {
      await using bob = await connect({ name: "bob", registries, home });
      return (await bob.join("Lab")).key;
    };
    assert.equal(await join([registry.address]), key);
    assert.equal(await join([liar.address, registry.address]), key);
    await assert.rejects(
      join([liar.address]),
      (error) => says(error, key, imposter.key.publicKey, 'trust "Lab"'),
    );
    assert.equal(imposter.sessions, 0);
    await alice.send("Lab", "all is well");
  }));

test("identity: a group of the original programs, which has no key, cannot be joined", () =>
  closing(async (keep) => {
    const listing = { name: "Old", address: "127.0.0.1:9", state: "live" } as const;
    const registry = keep(await lyingRegistry(() => listing));
    const user = keep(await connect({ name: "bob", registries: [registry.address] }));
    for (const target of ["Old", "127.0.0.1:9"]) {
      await assert.rejects(user.join(target), { name: "UsageError", message: /original programs/ });
    }
  }));

test("identity: a proof that one group got is worth nothing at another", () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const home = keep(new Folder()).path;
    const lab = keep(await Group.start({ name: "Lab", registries, home }));
    const evil = keep(await lookAlike({ name: "Evil" }));
    const founder = keep(await connect({ registries, home }));
    await founder.join("Lab");
    await founder.join(evil.address);
    const { op, key, name, sig } = evil.got[0];
    assert.equal(op, "prove");
    const relay = keep(await RawMember.open(lab.address));
    await assert.rejects(relay.ask("prove", { key, name, sig }), { code: "bad_proof" });
    await assert.rejects(relay.ask("members"), { code: "no_session" });
  }));

test("identity: a member keeps its group's ticket and key for its next session", () =>
  closing(async (keep) => {
    const { registries, key } = await world(keep);
    const home = keep(new Folder()).path;
    const tickets = new Set<string>();
    for (const text of ["first", "second"]) {
      await using bob = await connect({ name: "bob", registries, home });
      if (text === "first") await bob.join("Lab");
      await bob.send("Lab", text);
      const store = sqliteStore(home);
      const [group] = store.groups();
      store.close();
      assert.equal(group.key, key);
      assert.equal(ticketBytes(group.ticket)?.length, 52);
      tickets.add(group.ticket);
    }
    assert.equal(tickets.size, 2, "each session brings another one");
  }));

test("trust: a healthy group stays what it is, also where a look-alike was met", () =>
  closing(async (keep) => {
    const { lab, alice, key } = await world(keep);
    const imposter = keep(await lookAlike());
    await assert.rejects(alice.join(imposter.address), IdentityChanged);
    const found = await alice.trust("Lab");
    const same = { what: 'the group "Lab"', before: key, now: key };
    assert.deepEqual(found, { ...same, changed: false, member: true });
    assert.equal(alice.joined()[0].role, "member");
    await alice.send("Lab", "still here");
    await lab.close();
    await assert.rejects(alice.trust("Lab"), Unreachable);
    assert.equal(alice.joined()[0].key, key);
    await gotNothing(imposter);
  }));

test("trust: another group in the place of a known one is known from then on, and it alone", () =>
  closing(async (keep) => {
    const { registries, lab, alice, key } = await world(keep);
    const { address } = lab;
    await lab.close();
    const second = await lookAlike({ address });
    await assert.rejects(alice.join("Lab"), IdentityChanged);
    await assert.rejects(alice.send("Lab", "for the one I know"), IdentityChanged);
    const now = second.key.publicKey;
    const found = await alice.trust("Lab");
    assert.deepEqual(found, {
      what: 'the group "Lab"',
      before: key,
      now,
      changed: true,
      member: false,
      unsent: 1,
    });
    assert.deepEqual(alice.joined(), [], "nobody is a member by trusting");
    assert.deepEqual(second.got, []);
    assert.equal((await alice.join("Lab")).key, now);
    await second[Symbol.asyncDispose]();
    const third = keep(await lookAlike({ address }));
    const fourth = keep(await connect({ registries }));
    await assert.rejects(
      alice.join("Lab"),
      (error) => says(error, now, third.key.publicKey, "trust"),
    );
    await assert.rejects(fourth.trust("Lab"), { name: "Refusal", code: "not_found" });
  }));

test("identity: a registry with another key is told apart, and the others go on", () =>
  closing(async (keep) => {
    const [first, other] = [
      await Registry.start({ port: 0 }),
      keep(await Registry.start({ port: 0 })),
    ];
    keep(await Group.start({ name: "Lab", registries: [other.address] }));
    const address = bare(first.address);
    const before = first.address.split("#")[1];
    const user = keep(await connect({ name: "alice", registries: [address, other.address] }));
    const alone = keep(await connect({ name: "bob", registries: [address] }));
    const given = keep(await connect({ name: "carol", registries: [first.address] }));
    for (const one of [user, alone, given]) await one.list();
    assert.equal(alone.registryKeys()[0].key, before);
    const warnings = warningsOf(user);
    await first.close();
    const second = keep(await Registry.start({ port: Number(address.split(":")[1]) }));
    const now = second.address.split("#")[1];

    assert.equal((await user.join("Lab")).name, "Lab");
    await until(() => warnings.length > 0, 5_000, "the registry is told apart");
    const wayOut = `trust ${address}`;
    says(new IdentityChanged(address, warnings.join()), before, now, wayOut);
    await assert.rejects(alone.list(), (error) => says(error, before, now, wayOut));
    await assert.rejects(given.list(), (error) => says(error, before, now, "without one"));
    const found = await user.diagnose();
    assert.match(found[0].problem!, /KEY HAS CHANGED/);

    assert.deepEqual(await alone.trust(address), {
      what: `the registry at ${address}`,
      before,
      now,
      changed: true,
    });
    assert.deepEqual(await alone.list(), []);
    assert.equal((await alone.trust(address)).changed, false);
    await assert.rejects(given.trust(address), { name: "Refusal", code: "forbidden" });
  }));

test("identity: a registry at a group's address, and a group at a registry's, are no such thing", () =>
  closing(async (keep) => {
    const { registry, lab, alice } = await world(keep);
    const key = newSigningKey();
    const astray = keep(await connect({ name: "bob", registries: [lab.address] }));
    await assert.rejects(astray.list(), { name: "BadReply" });
    await assert.rejects(alice.join(bare(registry.address)), IdentityChanged);
    const wrong = keep(
      await connect({ registries: [`${bare(registry.address)}#${key.publicKey}`] }),
    );
    await assert.rejects(wrong.list(), IdentityChanged);
  }));
