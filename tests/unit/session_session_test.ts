/** What a session counts and refuses by itself, whatever carries it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { proofText } from "../../lib/protocol/record.ts";
import { Initiator, KEY_BYTES, Responder } from "../../lib/session/noise.ts";
import { PROLOGUE } from "../../lib/session/packet.ts";
import { Session } from "../../lib/session/session.ts";

/** A session, and what it did to its connection; `takes` says whether that takes what is sent. */
function sessionOf() {
  const did: string[] = [];
  const connection = { takes: true };
  const sent = (what: string) => {
    did.push(what);
    return connection.takes;
  };
  const peer = {
    id: "1",
    ip: "127.0.0.1",
    waiting: 0,
    send: () => sent("send"),
    write: () => sent("write"),
    admit: () => void did.push("admit"),
    begin: () => void did.push("begin"),
    end: () => void did.push("end"),
    cut: (why: string) => void did.push(why),
  };
  const [initiator, responder] = [new Initiator(PROLOGUE), new Responder(PROLOGUE)];
  responder.read(initiator.write(new Uint8Array(0)).subarray(-KEY_BYTES));
  const { send } = responder.write(() => new Uint8Array(0));
  const session: Session = new Session({
    host: {
      watchful: true,
      cut(_, why) {
        session.end();
        did.push(`cut: ${why}`);
      },
      spent: (priority) => void did.push(`spent by ${priority}`),
    },
    peer,
    transcript: "the handshake",
    send,
    priority: "strangers",
  });
  return { session, did, connection };
}

test("session: one proof is looked at, paid for once, and good for its key alone", () => {
  const [key, other] = [newSigningKey(), newSigningKey()];
  const { session, did } = sessionOf();
  const sig = key.sign(proofText(session.transcript));
  assert.equal(session.prove(key.publicKey, sig), true);
  assert.equal(session.prove(key.publicKey, sig), true);
  assert.equal(session.prove(other.publicKey, sig), false);
  assert.equal(session.prove(other.publicKey, other.sign(proofText(session.transcript))), false);
  assert.deepEqual(did, ["spent by strangers"]);
});

test("session: who gave a bad proof gives no other", () => {
  const key = newSigningKey();
  const { session, did } = sessionOf();
  assert.equal(session.prove(key.publicKey, key.sign(proofText("another handshake"))), false);
  assert.equal(session.prove(key.publicKey, key.sign(proofText(session.transcript))), false);
  assert.deepEqual(did, ["spent by strangers"]);
});

test("session: a request that is served ends once", () => {
  const { session, did } = sessionOf();
  const [one, other] = [session.serving(), session.serving()];
  one();
  one();
  other();
  assert.deepEqual(did, ["begin", "begin", "end", "end"]);
});

test("session: a reply that the connection does not take ends it, and nothing is sent behind it", () => {
  const { session, did, connection } = sessionOf();
  assert.equal(session.reply("{}"), true);
  connection.takes = false;
  assert.equal(session.reply("{}"), false);
  connection.takes = true;
  assert.equal(session.reply("{}"), false);
  assert.equal(session.push("{}"), false);
  assert.equal(session.feed({ frames: [], bytes: new Uint8Array(0) }), false);
  session.cut("again");
  assert.deepEqual(did, ["send", "send", "cut: takes no more"]);
});

test("session: a feed packet that is not taken is dropped alone", () => {
  const { session, did, connection } = sessionOf();
  connection.takes = false;
  assert.equal(session.feed({ frames: [], bytes: new Uint8Array(0) }), false);
  assert.ok(session.open);
  connection.takes = true;
  assert.equal(session.feed({ frames: [], bytes: new Uint8Array(0) }), true);
  assert.deepEqual(did, ["write", "write"]);
});
