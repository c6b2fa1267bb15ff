import assert from "node:assert/strict";
import { test } from "node:test";
import { Members } from "../../lib/group/members.ts";
import { SortedList } from "../../lib/structures/sorted.ts";
import { banKey, inviteName, Values } from "../../lib/group/values.ts";
import { randomFrom } from "./fixtures.ts";

function pages(list: SortedList, most: number): string[] {
  const all: string[] = [];
  for (let page = list.page("", most); page.length > 0; page = list.page(all.at(-1)!, most)) {
    assert.ok(page.length <= most);
    all.push(...page);
  }
  return all;
}

test("sorted list: whatever is added and removed, its pages are those of the sorted whole", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const random = randomFrom(seed);
    const list = new SortedList();
    const whole = new Set<string>();
    for (let i = 0; i < 5_000; i++) {
      const text = String(Math.floor(random() * 3_000)).padStart(4, "0");
      if (random() < 0.6) {
        list.add(text);
        whole.add(text);
      } else {
        list.delete(text);
        whole.delete(text);
      }
      if (i % 500 === 499) {
        assert.equal(list.size, whole.size);
        for (const most of [1_000_000, 97]) {
          assert.deepEqual(pages(list, most), [...whole].sort(), `seed ${seed}, after ${i}`);
        }
      }
    }
    for (const text of whole) list.delete(text);
    assert.deepEqual([list.size, list.page("", 10)], [0, []]);
  }
});

test("sorted list: a page begins behind any text, also one that is not in it", () => {
  const list = new SortedList();
  const texts = Array.from({ length: 2_000 }, (_, i) => String(2 * i).padStart(5, "0"));
  for (const text of texts.toReversed()) list.add(text);
  for (let n = -1; n < 4_001; n += 7) {
    const after = n < 0 ? "" : String(n).padStart(5, "0");
    assert.deepEqual(list.page(after, 3), texts.filter((text) => text > after).slice(0, 3), after);
  }
});

test("members: pages are in the order of ids, as members come, change and go", () => {
  const members = new Members();
  const member = (user: string, name = user) =>
    members.set(user, { user, name, role: "member", since: 1 });
  for (const user of ["c", "a", "d", "b"]) member(user);
  member("a", "renamed");
  assert.deepEqual(members.page("", 3).map(({ name }) => name), ["renamed", "b", "c"]);
  assert.deepEqual(members.page("c", 3).map(({ user }) => user), ["d"]);
  members.delete("b");
  members.delete("nobody");
  assert.deepEqual(members.page("", 9).map(({ user }) => user), ["a", "c", "d"]);
  assert.equal(members.size, 3);
});

test("values: bans and invites are counted apart from what else is kept", () => {
  const values = new Values([["topic", "t"], [banKey("~b"), "Bob"]]);
  values.set(banKey("~a"), "Alice").set("mute:a", "0");
  assert.deepEqual(values.banned(9), [{ user: "~a", name: "Alice" }, { user: "~b", name: "Bob" }]);
  assert.deepEqual(values.banned(1).length, 1);
  values.delete(banKey("~b"));
  assert.deepEqual(values.banned(9).map(({ user }) => user), ["~a"]);
  const invite = (expires: number, uses = 1) => JSON.stringify({ expires, uses });
  for (const expires of [30, 4, 200, 1]) values.set(inviteName(`${expires}`), invite(expires));
  values.set(inviteName("30"), invite(30, 7));
  values.set(inviteName("4"), invite(3_000));
  assert.equal(values.invites, 4);
  assert.deepEqual(values.expiredInvites(200, 9), ["1", "30", "200"].map(inviteName));
  assert.deepEqual(values.expiredInvites(200, 2), ["1", "30"].map(inviteName));
  assert.deepEqual(values.expiredInvites(0, 9), []);
  values.delete(inviteName("1"));
  assert.deepEqual(values.expiredInvites(199, 9), [inviteName("30")]);
  assert.equal(values.invites, 3);
});
