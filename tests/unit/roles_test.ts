import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../lib/errors.ts";
import {
  openInvite,
  openInvites,
  useInvite,
  withoutDeadInvites,
} from "../../lib/group/decide/invites.ts";
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
import { banKey, inviteName, muteKey } from "../../lib/group/values.ts";
import { sha256 } from "../../lib/identity/keys.ts";
import type { ACTIONS } from "../../lib/protocol/batch.ts";
import { carryOut, decide, emptyState, join, send as sending } from "./deciding.ts";
import { midAt, NOW } from "./fixtures.ts";

type Action = typeof ACTIONS[number];
type Act = Partial<Request<"act">> & Pick<Request<"act">, "action">;

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

/** The entry of an action; undefined where there is none. */
function decideAct(state: GroupState, by: Actor, what: Act, now = NOW): Draft | undefined {
  return decide(state, "act", by, what, { now }).drafts[0];
}

/** Decides, and applies what was decided. */
function act(state: GroupState, by: string, what: Act, now = NOW): void {
  carryOut(state, decide(state, "act", actor(by), what, { now }), now);
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
        if (allowed.split(" ").includes(user)) assert.equal(decide()?.kind, action);
        else assert.throws(decide, refused("forbidden"), `${by} ${action} ${user}`);
      }
    }
  }
});

test("roles: nobody acts on itself or gives a role as high as its own", () => {
  for (const by of ["founder", "admin"]) {
    for (const action of ["demote", "remove", "ban", "mute"] as Action[]) {
      assert.throws(
        () => decideAct(group(), actor(by), { action, user: by, role: "reader" }, NOW),
        refused("forbidden"),
      );
    }
  }
  const promote = (by: string, role: Act["role"]) => () =>
    decideAct(group(), actor(by), { action: "promote", user: "member", role: role! }, NOW);
  assert.throws(promote("admin", "admin"), refused("forbidden"));
  assert.equal(promote("founder", "admin")()!.body!.role, "admin");
});

test("roles: promote and demote name a role that lies that way", () => {
  const give = (action: Action, user: string, role?: Act["role"]) =>
    decideAct(group(), actor("founder"), { action, user, role }, NOW)?.body?.role;
  assert.equal(give("promote", "reader", "member"), "member");
  assert.equal(give("promote", "reader", "admin"), "admin");
  assert.equal(give("demote", "admin", "reader"), "reader");
  assert.throws(() => give("promote", "admin", "member"), refused("bad_request"));
  assert.throws(() => give("demote", "reader", "member"), refused("bad_request"));
});

test("roles: a step without a role is refused with the way out, and repeated makes nobody more", () => {
  const state = group();
  const step: Act = { action: "promote", user: "reader" };
  for (const _ of ["asked", "asked again"]) {
    assert.throws(
      () => act(state, "founder", step),
      (error) => refused("bad_request")(error) && /say promote USER ROLE/.test(String(error)),
    );
  }
  assert.equal(state.members.get("reader")!.role, "reader");
});

test("roles: an action that is repeated is as if it had been asked once", () => {
  const acts: Act[] = [
    { action: "promote", user: "reader", role: "member" },
    { action: "demote", user: "admin", role: "member" },
    { action: "remove", user: "member" },
    { action: "ban", user: "member" },
    { action: "ban", user: "stranger" },
    { action: "unban", user: "banned" },
    { action: "mute", user: "member" },
    { action: "mute", user: "member", for: 60_000 },
    { action: "unmute", user: "muted" },
    { action: "topic", topic: "Tuesday" },
    { action: "topic", topic: "" },
  ];
  for (const what of acts) {
    const state = group();
    state.values.set(banKey("banned"), "");
    state.values.set(muteKey("muted"), "0");
    state.values.set("topic", "Monday");
    const once = decide(state, "act", actor("founder"), what, { now: NOW });
    const placed = carryOut(state, once, NOW);
    const after = snapshot(state);
    // Its answer was lost, and the next try came seconds later.
    const again = decide(state, "act", actor("founder"), what, { now: NOW + 4_500 });
    assert.deepEqual(again.drafts, [], JSON.stringify(what));
    assert.deepEqual(again.reply([]), once.reply(placed));
    carryOut(state, again, NOW + 4_500);
    assert.deepEqual(snapshot(state), after);
  }
});

test("roles: a mute may be made longer or shorter", () => {
  const state = group();
  const until = () => state.values.get(muteKey("member"));
  act(state, "admin", { action: "mute", user: "member", for: 60_000 });
  act(state, "admin", { action: "mute", user: "member", for: 10_000 });
  assert.equal(until(), `${NOW + 10_000}`);
  act(state, "admin", { action: "mute", user: "member" });
  assert.equal(until(), "0");
  act(state, "admin", { action: "mute", user: "member", for: 1_000 });
  assert.equal(until(), `${NOW + 1_000}`);
});

/** Everything a state holds, as plain values. */
function snapshot({ members, values, lastMid, ...rest }: GroupState): object {
  return { ...rest, members: [...members], values: [...values], lastMid: [...lastMid] };
}

const PLACES = ["present", "absent"] as const;

test("roles: who may do what to whom, present or absent, is this table", () => {
  // Whom each may act on; `admin` and `founder` also while they are no members.
  const below: Record<string, string[]> = {
    founder: ["admin", "member", "reader", "stranger"],
    admin: ["member", "reader", "stranger"],
    member: [],
    reader: [],
  };
  // What is said of who is no member: of one in reach, of one who is too high.
  const ofAbsent: Record<string, string> = {
    promote: "not_found",
    demote: "not_found",
    mute: "not_found",
    remove: "nothing",
    unban: "nothing",
    unmute: "nothing",
    ban: "ban",
  };
  let tried = 0;
  for (const by of ROLES) {
    for (const target of [...ROLES, "stranger"]) {
      for (const place of target === "stranger" ? (["absent"] as const) : PLACES) {
        for (const action of Object.keys(ofAbsent) as Exclude<Action, "topic">[]) {
          const state = group();
          // A second of the actor's role, so that the target may go.
          if (by === target) {
            state.members.set("actor", { user: "actor", name: "actor", role: by, since: 1 });
          }
          const acting = by === target ? "actor" : by;
          if (place === "absent" && target !== "stranger") {
            carryOut(state, decide(state, "leave", actor(target)));
          }
          const role = action === "promote" ? "member" : "reader";
          const told = () => {
            try {
              return decideAct(state, actor(acting), { action, user: target, role })?.kind ??
                "nothing";
            } catch (error) {
              return error instanceof Refusal ? error.code : String(error);
            }
          };
          const present = { promote: "promote", demote: "demote" }[action as string];
          const inReach = place === "absent"
            ? ofAbsent[action]
            : action === "unban" || action === "unmute"
            ? "nothing"
            : present && target === role
            ? "nothing"
            : action === "promote" && target === "admin"
            ? "bad_request"
            : action;
          // Who left as less than an admin is as good as a stranger.
          const judged = place === "absent" && ["member", "reader"].includes(target)
            ? "stranger"
            : target;
          const wanted = below[by].includes(judged) ? inReach : "forbidden";
          assert.equal(told(), wanted, `${by} ${action} ${place} ${target}`);
          tried++;
        }
      }
    }
  }
  assert.equal(tried, 4 * (4 * 2 + 1) * 7);
});

test("roles: an admin who left is judged as one until it is back, whatever it is then", () => {
  const state = group();
  carryOut(state, decide(state, "leave", actor("admin2")));
  assert.throws(() => act(state, "admin", { action: "ban", user: "admin2" }), refused("forbidden"));
  const back = join(state, actor("admin2"))!;
  assert.equal(back.body!.role, "member");
  apply(state, place(state, back, NOW));
  carryOut(state, decide(state, "leave", actor("admin2")));
  act(state, "admin", { action: "ban", user: "admin2" });
  carryOut(state, decide(state, "leave", actor("admin")));
  act(state, "founder", { action: "ban", user: "admin" });
  assert.deepEqual([...state.values.keys()].sort(), [banKey("admin"), banKey("admin2")]);
});

test("roles: whatever is asked, there is a founder or one who can come back as it", () => {
  for (const access of ["open", "private"] as const) {
    const state = group(access);
    state.values.set(banKey("founder"), "by an older version");
    carryOut(state, decide(state, "leave", actor("founder")));
    for (const action of ["ban", "remove", "demote", "mute"] as const) {
      assert.throws(
        () => act(state, "admin", { action, user: "founder", role: "reader" }),
        refused("forbidden"),
      );
    }
    assert.equal(join(state, actor("founder"))?.body?.role, "founder");
  }
});

test("roles: who is muted does not unmute itself", () => {
  const state = group();
  act(state, "founder", { action: "mute", user: "admin" });
  assert.throws(
    () => act(state, "admin", { action: "unmute", user: "admin" }),
    refused("forbidden"),
  );
  assert.throws(
    () => act(state, "admin2", { action: "unmute", user: "admin" }),
    refused("forbidden"),
  );
  act(state, "founder", { action: "unmute", user: "admin" });
});

test("roles: what is lifted names whom it was laid on", () => {
  const state = group();
  act(state, "admin", { action: "mute", user: "member" });
  const unmute = { action: "unmute", user: "member" } as const;
  assert.deepEqual(decideAct(state, actor("admin"), unmute)?.body, {
    user: "member",
    name: "member",
  });
  act(state, "admin", { action: "ban", user: "member" });
  const unban = { action: "unban", user: "member" } as const;
  assert.deepEqual(decideAct(state, actor("admin"), unban)?.body, {
    user: "member",
    name: "member",
  });
});

test("roles: an action without whom, or on nobody, is refused", () => {
  for (
    const action of ["promote", "demote", "remove", "ban", "unban", "mute", "unmute"] as Action[]
  ) {
    const on = (user?: string) => () =>
      decideAct(group(), actor("founder"), { action, ...(user ? { user } : {}) }, NOW);
    assert.throws(on(), refused("bad_request"), action);
    if (["promote", "demote", "mute"].includes(action)) {
      assert.throws(on("nobody"), refused("not_found"), action);
    }
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
  act(state, "admin", { action: "demote", user: "member", role: "reader" });
  state.members.delete("member");
  invited(state, "admin");
  const back = join(state, actor("member"), "token")!;
  assert.equal(back.body!.role, "reader");
  apply(state, place(state, back, NOW));
  act(state, "admin", { action: "promote", user: "member", role: "member" });
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
    { action: "promote", user: "reader", role: "member" },
    { action: "demote", user: "admin", role: "reader" },
    { action: "remove", user: "member" },
    { action: "ban", user: "member" },
    { action: "mute", user: "member" },
    { action: "topic", topic: "t" },
  ];
  for (const what of acts) {
    const state = group();
    const before = structuredClone(state);
    const batch = place(state, decideAct(state, actor("founder"), what)!, NOW);
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
  assert.equal(join(state, { user: "member", name: "renamed" })?.kind, "rename");
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
    (state) => act(state, "founder", { action: "demote", user: "admin", role: "member" }),
    (state) => void carryOut(state, decide(state, "leave", actor("admin"))),
    (state) => act(state, "founder", { action: "ban", user: "admin" }),
  ];
  for (const end of gone) {
    const state = group("private");
    invited(state, "admin", { uses: 100 });
    end(state);
    assert.throws(() => openInvite(state, "token", NOW), refused("bad_invite"));
    assert.equal(state.values.invites, 0, "swept out with its maker's right");
  }
});

test("invites: the token itself is kept nowhere, and expired ones are swept out", () => {
  const state = group();
  invited(state, "member");
  assert.equal(JSON.stringify([...state.values]).includes("token"), false);
  invited(state, "member", { token: "later", for: 4_000 }, NOW + 5_000);
  assert.equal(state.values.size, 1);
});

/** As many members as it takes to fill a group with invites. */
function crowd(state: GroupState, n: number): string[] {
  return Array.from({ length: n }, (_, i) => {
    const user = `m${i}`;
    state.members.set(user, { user, name: user, role: "member", since: 1 });
    return user;
  });
}

test("invites: each maker has its share, and what expired or was used makes room in it", () => {
  const state = group();
  const make = (by: string, token: string, now = NOW) => invited(state, by, { token }, now);
  for (const [by, share] of [["member", 50], ["admin", 500]] as const) {
    for (let i = 0; i < share; i++) make(by, `${by}${i}`);
    assert.throws(
      () => make(by, `${by} more`),
      (error) => refused("forbidden")(error) && String(error).includes(`${share} of your invites`),
    );
    keep(state, useInvite(state, `${by}0`, NOW));
    make(by, `${by} again`);
    assert.throws(() => make(by, `${by} more`), refused("forbidden"));
  }
  make("founder", "founder's own");
  make("member", "when all expired", NOW + 1_000);
  assert.equal(state.values.invitesOf("member").size <= 50, true);
});

test("invites: so many may be open at once, and those that expired make room", () => {
  const state = group();
  const makers = crowd(state, 200);
  const make = (n: number, expires: number, now = NOW, by = makers[Math.floor(n / 50)]) =>
    invited(state, by, { token: `${n}`, for: expires - now }, now);
  for (let i = 0; i < 9_000; i++) make(i, NOW + 1_000 + i);
  assert.throws(() => make(9_000, NOW + 90_000), refused("busy"));
  assert.throws(() => make(9_000, NOW + 90_000, NOW + 999), refused("busy"));
  // Members together leave a tenth to those above them.
  for (let i = 10_000; i < 11_000; i++) make(i, NOW + 90_000, NOW, "founder");
  assert.throws(() => make(11_000, NOW + 90_000, NOW, "founder"), refused("busy"));
  make(9_000, NOW + 90_000, NOW + 2_149);
  // As many of those 1,150 were swept out as it took, then a hundred.
  assert.equal(state.values.invites, 9_000);
  make(9_001, NOW + 90_000, NOW + 2_149);
  assert.equal(state.values.invites, 8_901);
  assert.equal(openInvite(state, "1150", NOW + 2_149).uses, 1);
});

test("invites: what one costs, made or refused, does not grow with their number", () => {
  const time = (state: GroupState, token: string, times: number): number => {
    const began = performance.now();
    for (let i = 0; i < times; i++) {
      try {
        decide(state, "invite", actor("member"), { token, uses: 1, for: 1_000, role: "member" });
        openInvite(state, token, NOW);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }
    return performance.now() - began;
  };
  const full = group();
  for (const by of crowd(full, 200).slice(0, 180)) {
    for (let i = 0; i < 50; i++) invited(full, by, { token: `${by} ${i}` });
  }
  assert.throws(() => invited(full, "m190", { token: "one more" }), refused("busy"));
  const empty = group();
  for (const state of [empty, full]) time(state, "t", 2_000);
  const [few, many] = [time(empty, "t", 5_000), time(full, "t", 5_000)];
  assert.ok(many < 10 * few + 50, `${few.toFixed(1)} ms, at the bound ${many.toFixed(1)} ms`);
});

test("invites: one that is asked for again is the same, and its token is nobody else's", () => {
  const state = group();
  const ask = (by: string, now = NOW) =>
    decide(
      state,
      "invite",
      actor(by),
      { token: "token", drawn: "other", uses: 1, for: 1_000, role: "member" },
      { now },
    );
  carryOut(state, ask("member"));
  assert.deepEqual(ask("member", NOW + 500).reply([]), { token: "token", expires: NOW + 1_000 });
  assert.deepEqual(ask("member").values ?? {}, {});
  assert.throws(() => ask("admin"), refused("bad_request"));
  assert.equal(ask("member", NOW + 1_000).reply([]).expires, NOW + 2_000, "the former has expired");
});

test("invites: a revoked one lets nobody in, says so for as long as it would have been good, and makes room", () => {
  const state = group();
  const revoke = (invite: string, now = NOW) => {
    const decision = decide(state, "revoke", actor("admin"), { invite }, { now });
    carryOut(state, decision, now);
    return decision.reply([]);
  };
  for (const token of ["one", "two", "three"]) invited(state, "member", { token, for: 5_000 });
  assert.deepEqual(revoke(sha256("one")), { revoked: 1 });
  assert.deepEqual(revoke(sha256("one")), { revoked: 0 }, "again is fine");
  assert.deepEqual(revoke(sha256("none")), { revoked: 0 });
  assert.throws(() => openInvite(state, "one", NOW), /that invite was revoked/);
  // A version that knows nothing of it sees one that has expired.
  const { uses, expires } = state.values.invite(inviteName(sha256("one")))!;
  assert.deepEqual([uses, expires], [0, 0]);
  // Others that are made, or swept out, leave it, until it would have expired.
  invited(state, "admin", { token: "later" });
  carryOut(state, { drafts: [], values: withoutDeadInvites(state, NOW) });
  assert.throws(() => openInvite(state, "one", NOW + 4_000), /that invite was revoked/);
  invited(state, "admin", { token: "much later" }, NOW + 5_000);
  assert.throws(() => openInvite(state, "one", NOW + 5_000), /unknown, used up or expired/);
  assert.deepEqual(revoke("all", NOW + 5_000), { revoked: 1 });
  assert.equal([...openInvites(state, NOW + 5_000, "")].length, 0);
});

test("invites: a group that is full of revoked ones takes others in their place", () => {
  const state = group();
  for (let n = 0; n < 10_000; n++) invited(state, "founder", { token: `${n}`, for: 9_000 });
  assert.throws(() => invited(state, "founder", { token: "more" }), refused("forbidden"));
  carryOut(state, decide(state, "revoke", actor("admin"), { invite: "all" }, { now: NOW }));
  invited(state, "founder", { token: "more", for: 9_000 });
  assert.deepEqual([...openInvites(state, NOW, "")].map(([id]) => id), [sha256("more")]);
  assert.equal(state.values.invites, 9_901);
});

test("invites: those that count no more are found, however they came to be", () => {
  const state = group("private");
  invited(state, "admin", { token: "good" });
  invited(state, "admin2", { token: "its maker is gone" });
  invited(state, "admin", { token: "expired", for: 1 });
  state.members.delete("admin2");
  keep(state, withoutDeadInvites(state, NOW + 1));
  assert.equal(state.values.invites, 1);
  assert.equal(openInvite(state, "good", NOW + 1).by, "admin");
});

test("a member who joins under another name is renamed, and keeps role, key and seq", () => {
  const state = group();
  const before = state.members.get("admin")!;
  const renamed = join(state, { user: "admin", name: "boss" })!;
  assert.deepEqual([renamed.kind, renamed.name, renamed.body], ["rename", "boss", {
    before: "admin",
  }]);
  apply(state, place(state, renamed, NOW));
  assert.deepEqual(state.members.get("admin"), { ...before, name: "boss" });
  assert.equal(join(state, { user: "admin", name: "boss" }), undefined);
});

test("a join is answered with a head that holds it", () => {
  const state = group();
  const reply = (who: Actor) => {
    const decision = decide(state, "join", who);
    return decision.reply(carryOut(state, decision)).head;
  };
  assert.equal(reply(actor("stranger")), state.head);
  assert.equal(state.head, 5);
  assert.equal(reply(actor("stranger")), 5, "again, without an entry");
  assert.equal(reply({ user: "stranger", name: "renamed" }), 6);
});
