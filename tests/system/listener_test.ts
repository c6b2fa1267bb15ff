import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { connect, Group } from "../../mod.ts";
import { memoryStore } from "../../lib/store/memory_user_store.ts";
import { KnownGroups } from "../../lib/user/groups.ts";
import { closing } from "../support.ts";

test("a listener that throws ends nothing, and the others hear on", () =>
  closing(async (keep) => {
    const group = keep(await Group.start({ name: "Lab", registries: [], unlisted: true }));
    const user = keep(await connect({ name: "alice", registries: [] }));
    await user.join(group.address);
    const heard: string[] = [];
    user.on(() => {
      throw new Error("a listener's own defect");
    });
    user.on((event) => void heard.push(event.type === "outbox" ? event.state : event.type));
    const warned = once(process, "warning", { signal: AbortSignal.timeout(5_000) });
    await user.send("Lab", "hi");
    assert.match(String((await warned)[0]), /a listener's own defect/);
    assert.deepEqual(heard, ["pending", "sent"]);
  }));

test("a ticket that cannot be kept stops nobody", () => {
  const store = Object.assign(memoryStore(), {
    keepTicket() {
      throw new Error("database or disk is full");
    },
  });
  const groups = new KnownGroups(store);
  groups.learn({ id: "id", name: "Lab", address: "127.0.0.1:1", key: "" });
  groups.admitted("id", "ticket");
  assert.equal(groups.get("id")?.ticket, "");
});
