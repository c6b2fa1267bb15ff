/** What members ask to change, when answers are lost, and what is wrong from the start. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, Refusal, UsageError, type User } from "../../mod.ts";
import { parseInvite } from "../../lib/protocol/invite.ts";
import { KIND } from "../../lib/session/packet.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { relay } from "../contract/session.ts";
import { closing } from "../support.ts";
import { Group } from "../support/inside.ts";
import type { Keep } from "./attack_world.ts";
import { Hand } from "./attack_hand.ts";
import { Folder } from "./world.ts";

/** A group, and its founder behind somebody who can lose an answer. */
async function lossy(keep: Keep) {
  const home = keep(new Folder()).path;
  const group = keep(await Group.start({ name: "Lab", home, memory: true, unlisted: true }));
  let skip = -1;
  let lost = 0;
  const between = keep(
    await relay(zmtpTransport(), group.address, (packet, way) => {
      if (way === "up" || packet[0] !== KIND.sealed || skip < 0 || skip-- > 0) return packet;
      lost++;
      return undefined;
    }),
  );
  const founder = keep(await connect({ home, name: "founder", registries: [] }));
  await founder.join(between.address);
  return {
    group,
    founder,
    /** Loses the answer behind the next `n`. */
    lose: (n: number) => skip = n,
    lost: () => lost,
  };
}

/** Kinds of the entries that there are. */
async function kinds(user: User): Promise<string[]> {
  const all: string[] = [];
  for await (const { kind } of user.read("Lab")) all.push(kind);
  return all;
}

test("a step whose answer is lost is taken once, and answered with where it stands", () =>
  closing(async (keep) => {
    const { group, founder, lose, lost } = await lossy(keep);
    const hand = keep(await Hand.member(group.address, { name: "bob" }));
    await founder.act("Lab", { action: "demote", user: "bob" });
    const role = () => group.group.state.members.get(hand.user)?.role;
    assert.equal(role(), "reader");
    lose(1); // The first says who is there.
    const seq = await founder.act("Lab", { action: "promote", user: "bob" });
    assert.deepEqual([lost(), role(), seq], [1, "member", group.group.head]);
    assert.deepEqual((await kinds(founder)).slice(-2), ["demote", "promote"]);
    await founder.act("Lab", { action: "promote", user: "bob" });
    assert.equal(role(), "admin");
    await assert.rejects(
      founder.act("Lab", { action: "promote", user: "bob" }),
      (error) => error instanceof Refusal && /is admin, there is no step/.test(error.message),
    );
    await assert.rejects(
      founder.act("Lab", { action: "demote", user: "00000000-0000-8000-8000-000000000000" }),
      (error) => error instanceof Refusal && error.code === "not_found",
    );
  }));

test("a member of an older version is told why a step without a role is refused", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const group = keep(await Group.start({ name: "Lab", home, memory: true, unlisted: true }));
    const founder = keep(await connect({ home, name: "founder", registries: [] }));
    await founder.join(group.address);
    const [admin, bob] = [
      keep(await Hand.member(group.address)),
      keep(await Hand.member(group.address)),
    ];
    await founder.act("Lab", { action: "promote", user: admin.user });
    await assert.rejects(
      admin.ask("act", { action: "demote", user: bob.user }),
      /does not say to which role.*say demote USER ROLE, or use a newer version/,
    );
    await admin.ask("act", { action: "demote", user: bob.user, role: "reader" });
    assert.equal(group.group.state.members.get(bob.user)?.role, "reader");
  }));

test("an invite whose answer is lost is made once", () =>
  closing(async (keep) => {
    const { group, founder, lose, lost } = await lossy(keep);
    lose(0);
    const link = await founder.invite("Lab");
    assert.deepEqual([lost(), group.group.state.values.invites], [1, 1]);
    const hand = keep(await Hand.proved(group.address));
    await hand.ask("join", { invite: parseInvite(link)!.token });
    assert.equal(group.group.state.values.invites, 0);
  }));

test("an invite that cannot be is refused before it is made, on both sides", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const options = { name: "Lab", home, memory: true, unlisted: true, private: true };
    const group = keep(await Group.start(options));
    const founder = keep(await connect({ home, name: "founder", registries: [] }));
    await founder.join(group.address);
    const admin = keep(await connect({ name: "admin", registries: [] }));
    await admin.join(await founder.invite("Lab", { role: "admin" }));
    const { token } = parseInvite(await founder.invite("Lab"))!;
    const hand = keep(await Hand.member(group.address, { invite: token }));
    await founder.act("Lab", { action: "promote", user: hand.user });
    const { values } = group.group.state;
    const year = 31_557_600_000;
    for (
      const terms of [
        { uses: 0 },
        { uses: 1_000_001 },
        { uses: 1.5 },
        { for: 0 },
        { for: year + 1 },
        { role: "founder" as "admin" },
      ]
    ) {
      await assert.rejects(
        founder.invite("Lab", terms),
        (error) =>
          error instanceof UsageError && /^Cannot invite: (uses|for|role): /.test(error.message),
        JSON.stringify(terms),
      );
      await assert.rejects(
        hand.ask("invite", terms),
        (error) => error instanceof Refusal && error.code === "bad_request",
      );
      assert.equal(values.invites, 0, JSON.stringify(terms));
    }
    await assert.rejects(
      admin.invite("Lab", { role: "admin" }),
      (error) => error instanceof Refusal && error.code === "forbidden",
    );
    assert.equal(values.invites, 0);
    await founder.invite("Lab", { for: year });
    assert.equal(values.invites, 1);
  }));

test("a join is answered with a head that holds it", () =>
  closing(async (keep) => {
    const group = keep(await Group.start({ name: "Lab", memory: true, unlisted: true }));
    const hand = keep(await Hand.proved(group.address));
    const { head } = await hand.ask("join");
    const { batches } = await hand.ask("read", { after: head as number - 1 }) as {
      batches: { kind: string; author: string }[];
    };
    assert.deepEqual(batches.map(({ kind, author }) => [kind, author]), [["join", hand.user]]);
    assert.equal((await hand.ask("join")).head, head);
  }));
