import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../lib/errors.ts";
import { openInvite, useInvite } from "../../lib/group/decide/invites.ts";
import { type Member, Members, type Role } from "../../lib/group/members.ts";
import type { Request } from "../../lib/group/request.ts";
import {
  type Actor,
  apply,
  type Draft,
  type GroupState,
  place,
  touched,
} from "../../lib/group/state.ts";
import { banKey, muteKey } from "../../lib/group/values.ts";
import type { ACTIONS } from "../../lib/protocol/batch.ts";
import { carryOut, decide, emptyState, join, send as sending } from "./deciding.ts";
import { midAt, NOW } from "./fixtures.ts";

type Action = typeof ACTIONS[number];
type Act = Pick<Request<"act">, "action" | "user" | "role" | "for" | "topic">;

const ROLES: Role[] = ["founder", "admin", "member", "reader"];
const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

function actor(user: string): Actor {
  return { user, name: user };
}

/** A group with one member of each role, called like the role, and a second admin. */
function group(access: GroupState["access"] = "open"): GroupState {
  const member = (user: string, role: Role): Member => ({ user, name: user, role, since: 1 });
  return emptyState({
    founder: "founder",
    access,
    members: new Members([...ROLES.map((role) => member(role, role)), member("admin2", "admin")]),
    head: 4,
  });
}

/** The entry of an action. */
function decideAct(state: GroupState, by: Actor, what: Act, now = NOW): Draft {
  return decide(state, "act", by, what, { now }).drafts[0];
}

/** Decides, and applies what was decided. */
function act(state: GroupState, by: string, what: Act, now = NOW): void {
  apply(state, place(state, decideAct(state, actor(by), what, now), now));
}

test("roles: who may act on whom is this table", () => {
  const may: Record<string, string> = {
    founder: "admin admin2 member reader",
    admin: "member reader",
    member: "",
    reader: "",
    stranger: "",
  };
  const onWhom: Action[] = ["remove", "ban", "mute"];
  for (const [by, allowed] of Object.entries(may)) {
    for (const action of onWhom) {
      for (const user of ["founder", "admin", "admin2", "member", "reader"]) {
        const decide = () => decideAct(group(), actor(by), { action, user }, NOW);
        if (allowed.split(" ").includes(user)) assert.equal(decide().kind, action);
        else assert.throws(decide, refused("forbidden"), `${by} ${action} ${user}`);
      }
    }
  }
});

test("roles: nobody acts on itself or gives a role as high as its own", () => {
  for (const by of ["founder", "admin"]) {
    for (const action of ["demote", "remove", "ban", "mute"] as Action[]) {
      assert.throws(
        () => decideAct(group(), actor(by), { action, user: by }, NOW),
        refused("forbidden"),
      );
    }
  }
  const promote = (by: string, role: Act["role"]) => () =>
    decideAct(group(), actor(by), { action: "promote", user: "member", role: role! }, NOW);
  assert.throws(promote("admin", "admin"), refused("forbidden"));
  assert.equal(promote("founder", "admin")().body!.role, "admin");
});

test("roles: promote and demote go one step, or to a role that lies that way", () => {
  const step = (action: Action, user: string, role?: Act["role"]) =>
    decideAct(group(), actor("founder"), { action, user, ...(role ? { role } : {}) }, NOW).body!
      .role;
  assert.equal(step("promote", "reader"), "member");
  assert.equal(step("promote", "member"), "admin");
  assert.equal(step("demote", "admin"), "member");
  assert.equal(step("demote", "member"), "reader");
  assert.equal(step("demote", "admin", "reader"), "reader");
  assert.throws(() => step("promote", "admin"), refused("bad_request"));
  assert.throws(() => step("promote", "member", "reader"), refused("bad_request"));
  assert.throws(() => step("promote", "member", "member"), refused("bad_request"));
  assert.throws(() => step("demote", "reader"), refused("bad_request"));
});

test("roles: an action without whom, or on nobody, is refused", () => {
  for (
    const action of ["promote", "demote", "remove", "ban", "unban", "mute", "unmute"] as Action[]
  ) {
    const on = (user?: string) => () =>
      decideAct(group(), actor("founder"), { action, ...(user ? { user } : {}) }, NOW);
    assert.throws(on(), refused("bad_request"), action);
    if (action !== "ban") assert.throws(on("nobody"), refused("not_found"), action);
  }
});

test("roles: a banned user is out, stays out, and may come back when unbanned", () => {
  const state = group();
  act(state, "admin", { action: "ban", user: "member" });
  assert.equal(state.members.has("member"), false);
  assert.throws(() => join(state, actor("member")), refused("banned"));
  invited(state, "founder", { role: "admin" });
  assert.throws(() => join(state, actor("member"), "token"), refused("banned"));
  assert.equal(state.values.get(banKey("member")), "member");
  act(state, "admin", { action: "unban", user: "member" });
  assert.equal(join(state, actor("member"))?.kind, "join");
});

test("roles: who never was a member can be banned, too", () => {
  const state = group();
  act(state, "admin", { action: "ban", user: "stranger" });
  assert.throws(() => join(state, actor("stranger")), refused("banned"));
});

test("roles: a muted member cannot send until the time is over or it is unmuted", () => {
  const state = group();
  const send = (now: number) => () =>
    sending(state, actor("member"), [[midAt(NOW), "hi"]], { now });
  act(state, "admin", { action: "mute", user: "member", for: 1_000 });
  assert.throws(send(NOW + 999), refused("muted"));
  assert.equal(send(NOW + 1_000)().drafts.length, 1);
  act(state, "admin", { action: "mute", user: "member" });
  assert.throws(send(NOW + 315_576_000_000), refused("muted"));
  act(state, "admin", { action: "unmute", user: "member" });
  assert.equal(state.values.has(muteKey("member")), false);
  assert.equal(send(NOW)().drafts.length, 1);
});

test("roles: leaving and coming back does not end a mute", () => {
  const state = group();
  act(state, "admin", { action: "mute", user: "member" });
  state.members.delete("member");
  apply(state, place(state, join(state, actor("member"))!, NOW));
  const send = () => sending(state, actor("member"), [[midAt(NOW), ""]]);
  assert.throws(send, refused("muted"));
});

test("roles: leaving and coming back, even by an invite, does not undo a demotion to reader", () => {
  const state = group();
  act(state, "admin", { action: "demote", user: "member" });
  state.members.delete("member");
  invited(state, "admin");
  const back = join(state, actor("member"), "token")!;
  assert.equal(back.body!.role, "reader");
  apply(state, place(state, back, NOW));
  act(state, "admin", { action: "promote", user: "member" });
  state.members.delete("member");
  assert.equal(join(state, actor("member"))!.body!.role, "member");
});

test("roles: admins set the topic", () => {
  const state = group();
  act(state, "admin", { action: "topic", topic: "Tuesday" });
  assert.equal(state.values.get("topic"), "Tuesday");
  assert.throws(() => act(state, "member", { action: "topic", topic: "x" }), refused("forbidden"));
});

test("roles: what an entry says it touches is all that it changes", () => {
  const acts: Act[] = [
    { action: "promote", user: "reader" },
    { action: "demote", user: "admin" },
    { action: "remove", user: "member" },
    { action: "ban", user: "member" },
    { action: "mute", user: "member" },
    { action: "topic", topic: "t" },
  ];
  for (const what of acts) {
    const state = group();
    const before = structuredClone(state);
    const batch = place(state, decideAct(state, actor("founder"), what, NOW), NOW);
    apply(state, batch);
    const { users, values } = touched(batch);
    for (const user of before.members.keys()) {
      if (!users.includes(user)) {
        assert.deepEqual(state.members.get(user), before.members.get(user));
      }
    }
    const changed = [...state.values.keys()];
    assert.deepEqual(changed.filter((name) => !values.includes(name)), [], what.action);
  }
});

test("a private group lets in its founder, its members, and who is invited", () => {
  const state = group("private");
  assert.throws(() => join(state, actor("stranger")), refused("forbidden"));
  invited(state, "admin", { role: "reader" });
  assert.equal(join(state, actor("stranger"), "token")?.body?.role, "reader");
  assert.equal(join(state, { user: "member", name: "renamed" })?.body?.role, "member");
  state.members.delete("founder");
  assert.equal(join(state, actor("founder"))?.body?.role, "founder");
});

/** Makes an invite. */
function invited(state: GroupState, by: string, given: object = {}, now = NOW): void {
  const terms = { token: "token", uses: 1, for: 1_000, role: "member", ...given };
  carryOut(state, decide(state, "invite", actor(by), terms, { now }));
}

function keep(state: GroupState, values: Readonly<Record<string, string | undefined>>): void {
  carryOut(state, { drafts: [], values });
}

test("invites: who may make one depends on the group and on what it gives", () => {
  for (
    const [access, by, role, allowed] of [
      ["open", "member", "member", true],
      ["open", "reader", "reader", false],
      ["open", "admin", "admin", false],
      ["open", "founder", "admin", true],
      ["private", "member", "reader", false],
      ["private", "admin", "member", true],
    ] as const
  ) {
    const make = () => invited(group(access), by, { role });
    if (allowed) make();
    else assert.throws(make, refused("forbidden"), `${access} ${by} ${role}`);
  }
});

test("invites: one counts as often as it says, until it expires", () => {
  const state = group("private");
  invited(state, "admin", { uses: 2, role: "member" });
  assert.equal(openInvite(state, "token", NOW + 999).role, "member");
  assert.throws(() => openInvite(state, "token", NOW + 1_000), refused("bad_invite"));
  assert.throws(() => openInvite(state, "other", NOW), refused("bad_invite"));
  keep(state, useInvite(state, "token", NOW));
  keep(state, useInvite(state, "token", NOW));
  assert.throws(() => openInvite(state, "token", NOW), refused("bad_invite"));
  assert.deepEqual([...state.values], []);
});

test("invites: one is dead while its maker may not invite", () => {
  const gone: ((state: GroupState) => void)[] = [
    (state) => act(state, "founder", { action: "remove", user: "admin" }),
    (state) => act(state, "founder", { action: "demote", user: "admin" }),
    (state) => act(state, "founder", { action: "ban", user: "admin" }),
  ];
  for (const end of gone) {
    const state = group("private");
    invited(state, "admin", { uses: 100 });
    end(state);
    assert.throws(() => openInvite(state, "token", NOW), refused("bad_invite"));
  }
});

test("invites: the token itself is kept nowhere, and expired ones are swept out", () => {
  const state = group();
  invited(state, "member");
  assert.equal(JSON.stringify([...state.values]).includes("token"), false);
  invited(state, "member", { token: "later", for: 4_000 }, NOW + 5_000);
  assert.equal(state.values.size, 1);
});

test("invites: so many may be open at once, and those that expired make room", () => {
  const state = group();
  const make = (token: string, expires: number, now = NOW) =>
    invited(state, "member", { token, for: expires - now }, now);
  for (let i = 0; i < 10_000; i++) make(`${i}`, NOW + 1_000 + i);
  assert.throws(() => make("more", NOW + 9_000), refused("busy"));
  assert.throws(() => make("more", NOW + 90_000, NOW + 999), refused("busy"));
  make("more", NOW + 90_000, NOW + 1_149);
  // A hundred of those 150 were swept out for one, the rest for the next.
  assert.equal(state.values.invites, 9_901);
  make("another", NOW + 90_000, NOW + 1_149);
  assert.equal(state.values.invites, 9_852);
  assert.equal(openInvite(state, "150", NOW + 1_149).uses, 1);
});
