/**
 * A backup of a group at work, checked, and restored at another address: the copy is whole at one
 * seq, members find the group through the registry by its same identity, and go on.
 */

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Follower, joined, numbered, Sender } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { runProgram } from "./support/children.ts";
import { startGroup, startRegistry } from "./support/servers.ts";

const NAME = "Lab";
/** Members find the group at its other address within this, ms. */
const FOUND_WITHIN = 20_000;

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  for (let i = 0; i < fault.size(1, 10); i++) await once(fault, registries[0], i);
});

async function once(fault: Fault, registry: string, round: number): Promise<void> {
  const registries = [registry];
  const name = `${NAME} ${round}`;
  const data = join(fault.folder, `first ${round}`);
  const group = await startGroup(fault, { name, data, registries });
  const ledger = new Ledger();
  const [reader, ...users] = await joined(fault, registries, name, ["r", ...numbered("s", 4)]);
  const follower = new Follower(reader);
  let epochs = 1;
  reader.on((event) => {
    if (event.type !== "epoch") return;
    follower.seen.length = 0;
    epochs++;
  });
  follower.start(name);
  const senders = users.map((user) => new Sender(user, name, ledger, () => fault.int(0, 4)));
  for (const sender of senders) sender.start();
  const half = fault.size(250, 2_500);
  await until(() => ledger.acked > half, 60_000, "messages");
  // What is there by now goes to the database, what comes to its write-ahead log.
  fault.expect(await group.child.stop() === 0, "the group did not end well");
  await group.start();
  await until(() => ledger.acked > 2 * half, 60_000, "messages after a restart");
  const identity = reader.joined()[0].id;

  const copy = join(fault.folder, `copy ${round}.db`);
  const before = ledger.acked;
  const told = ledger.head;
  await says(fault, "backup", [copy, "--data", data], /holds all up to entry \d+/);
  fault.expect(ledger.acked > before, "nobody could send while the copy was made");
  await says(fault, "backup", [copy, "--data", data], /it exists/, 2);
  await says(fault, "verify", [copy], /All is as it was written/);
  await says(fault, "verify", ["--data", data], /All is as it was written/);
  await namesDamage(fault, copy);
  await group.child.kill();
  rmSync(data, { recursive: true });

  const elsewhere = join(fault.folder, `second ${round}`);
  await says(fault, "restore", [copy, "--data", elsewhere], /Restored to/);
  await says(fault, "restore", [copy, "--data", elsewhere], /there is a group in it/, 2);
  const kept = await heldBy(elsewhere, fault);
  const head = kept.at(-1)!.seq;
  fault.expect(
    head >= told,
    `the copy ends at ${head}, ${told} was acknowledged before it was made`,
  );
  fault.count("acked_at_copy", ledger.keepUpTo(head));
  const second = await startGroup(fault, {
    name,
    address: "127.0.0.2:0",
    data: elsewhere,
    registries,
  });
  const begin = performance.now();
  const acked = ledger.acked;
  await until(() => ledger.acked > acked + 20, FOUND_WITHIN, "members at the other address");
  fault.figure("found_ms", performance.now() - begin);
  fault.expect(reader.joined()[0].id === identity, "another identity");
  await Promise.all(senders.map((sender) => sender.stop()));
  const whole = () => epochs === 2 && follower.seen.length >= ledger.acked;
  await until(whole, FOUND_WITHIN, "the follower at the other address");
  fault.figure("followed_ms", performance.now() - begin);
  await follower.stop();
  fault.expect(reader.joined()[0].address === second.address, "the address is not the other one");
  fault.expect(await second.child.stop() === 0, "the restored group did not end well");
  await says(fault, "verify", ["--data", elsewhere], /All is as it was written/);
  const held = await heldBy(elsewhere, fault);
  ledger.check(held, fault);
  follower.check(held, fault);
}

/** Runs a command of `group.ts`, which must say what fits and end with a code. */
async function says(fault: Fault, command: string, words: string[], wanted: RegExp, code = 0) {
  const ended = await runProgram("group.ts", command, ...words);
  const good = ended.code === code && wanted.test(ended.output);
  fault.expect(good, `${command} ended with ${ended.code}: ${ended.output}`);
  if (good) fault.count(command);
}

/** A copy with one changed byte is refused, by its first bad entry, and never restored. */
async function namesDamage(fault: Fault, copy: string): Promise<void> {
  const bytes = readFileSync(copy);
  const at = bytes.indexOf("s 1-40 ");
  bytes[at + 2] ^= 1;
  const bad = `${copy}.bad`;
  writeFileSync(bad, bytes);
  await says(fault, "verify", [bad], /from entry \d+ on: it is not what was written/, 1);
  await says(fault, "restore", [bad, "--data", `${copy}.none`], /it is not what was written/, 1);
  fault.expect(!existsSync(`${copy}.none`), "a damaged copy left a folder");
}
