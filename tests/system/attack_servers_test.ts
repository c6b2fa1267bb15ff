/** What only servers of a group may ask, asked by others; and rubbish between servers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Group, Refusal } from "../../mod.ts";
import { signingKey } from "../../lib/identity/keys.ts";
import { closing } from "../support.ts";
import { RawMember, RawSession } from "./raw_session.ts";
import { lab, servers } from "./relay_world.ts";

const NOBODY = "00000000-0000-8000-8000-00000000000a";

/** Each request of one server to another, well-formed. */
const REQUESTS: readonly (readonly [op: string, fields: object])[] = [
  ["head", {}],
  ["follow", {}],
  ["meet", { address: "127.0.0.1:1", came: [NOBODY], left: [] }],
  ["hand", {
    request: { op: "act", action: "topic", topic: "taken" },
    actor: { user: NOBODY, name: "nobody" },
    from: "1",
    size: 100,
  }],
];

function refused(code: string) {
  return (error: unknown) => error instanceof Refusal && error.code === code;
}

test("a group with one server knows no requests of others", () =>
  closing(async (keep) => {
    const group = keep(await Group.start({ name: "Alone", unlisted: true }));
    const member = keep(await RawMember.proved(group.address));
    for (const [op, fields] of REQUESTS) {
      await assert.rejects(member.ask(op, fields), refused("unknown_op"), op);
    }
  }));

servers("strangers and members ask in vain what servers ask", 2, async (world) => {
  const { servers: all, member, keep, lines } = world;
  const ann = await member("ann", all[0]);
  for (const { address } of all) {
    const stranger = keep(await RawSession.open(address));
    const raw = keep(await RawMember.proved(address));
    await raw.ask("join");
    for (const [op, fields] of REQUESTS) {
      await assert.rejects(stranger.ask(op, fields), refused("forbidden"), op);
      await assert.rejects(raw.ask(op, fields), refused("forbidden"), op);
    }
    assert.equal(raw.session.news.length, 0);
  }
  assert.equal(await ann.topic(lab(ann)), "");
  assert.ok((await ann.members(lab(ann))).every(({ user }) => user !== NOBODY));
  assert.ok(lines.flat().every((line) => !/failed/.test(line)), lines.flat().join("\n"));
});

servers("rubbish of a server is refused, and changes nothing", 1, async (world) => {
  const { servers: [holder], member, secretKey, keep } = world;
  const ann = await member("ann", holder);
  const server = keep(await RawMember.proved(holder.address, signingKey(await secretKey())));
  const actor = { user: NOBODY, name: "nobody" };
  const asked = { actor, from: "1", size: 100 };
  const wrong = [
    { op: "read", after: 0 },
    { op: "prove", key: "k", name: "n", sig: "s" },
    { op: "history", since: 0 },
    { op: "head" },
    { op: "fly" },
    { op: "constructor" },
    { op: "send", messages: [] },
    { op: "send", messages: [["x", "text"]] },
    { op: "act", action: "crown" },
    {},
  ];
  for (const request of wrong) {
    await assert.rejects(
      server.ask("hand", { ...asked, request }),
      refused("bad_request"),
      JSON.stringify(request),
    );
  }
  // It decides nothing by itself either: the rules are the holder's.
  const topic = { op: "act", action: "topic", topic: "taken" };
  await assert.rejects(server.ask("hand", { ...asked, request: topic }), refused("forbidden"));
  assert.equal(await ann.topic(lab(ann)), "");
});
