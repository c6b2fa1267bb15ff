/** A client in another language, made from PROTOCOL.md alone: it joins, sends and follows. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { connect, Group } from "../../mod.ts";
import { until } from "../support.ts";
import { Process, ROOT } from "./processes.ts";

/** The package for Node does not hold it. */
const CLIENT = join(process.env.ZGROUP_TEST_SOURCES ?? ROOT, "examples/python_client.py");
/** Debian's Python has the packages; another one on the path need not. */
const PYTHON = ["/usr/bin/python3", "python3"].find((python) =>
  spawnSync(python, ["-c", "import zmq, cryptography"]).status === 0
);
const skip = PYTHON === undefined && "python3-zmq and python3-cryptography are not installed";

test("the client in Python joins, sends and follows a group of ours", { skip }, async () => {
  await using group = await Group.start({ name: "Lab", registries: [] });
  await using user = await connect({ name: "alice", registries: [] });
  await user.join(group.address);
  const python = (...args: string[]) => new Process([PYTHON!, CLIENT, group.address, ...args]);

  await using follower = python("pip", "follow");
  await follower.line(/"kind": "join", "name": "pip"/);
  const { seq } = await user.send("Lab", "Grüße, 実験室");
  await follower.line(new RegExp(`"seq": ${seq}, .*"text": "Grüße, 実験室"`));

  await using sender = python("pia", "send", "one", "two");
  assert.equal((await sender.end(20_000)).code, 0);
  await follower.line(/"name": "pia", "text": "two"/);
  const heard: string[] = [];
  await until(
    async () => {
      heard.length = 0;
      for await (const { name, text, signature } of user.read("Lab")) {
        if (name === "pia" && text) heard.push(`${text} ${signature}`);
      }
      return heard.length === 2;
    },
    10_000,
    "both texts in the log",
  );
  assert.deepEqual(heard, ["one valid", "two valid"]);
});

test("the client in Python has at most 150 lines", () => {
  const lines = readFileSync(CLIENT, "utf8").trimEnd();
  assert.ok(lines.split("\n").length <= 150);
});
