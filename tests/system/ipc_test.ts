/** A group at a socket file of this machine, which the second engine serves. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { UsageError } from "../../lib/errors.ts";
import { Group } from "../support/inside.ts";
import { Folder } from "./world.ts";

test("a group over libzmq is joined at its ipc:// address, and by nobody over TCP alone", async () => {
  await using folder = new Folder();
  const address = `ipc://${join(folder.path, "lab.sock")}`;
  const unlisted = { registries: [], transport: "libzmq" } as const;
  await using group = await Group.start({ ...unlisted, name: "Lab", address });
  assert.equal(group.address, address);
  await using user = await connect({ ...unlisted, name: "alice" });
  await user.join(address);
  const { seq } = await user.send("Lab", "hi");
  for await (const { text } of user.read("Lab", { after: seq - 1 })) assert.equal(text, "hi");
  await assert.rejects(user.invite("Lab"), /reached on its own machine only/);
  assert.equal(group.group.state.values.invites, 0, "and none was made");

  await using other = await connect({ name: "bob", registries: [] });
  await assert.rejects(other.join(address), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /ipc:\/\/ needs --transport libzmq/);
    return true;
  });
});
