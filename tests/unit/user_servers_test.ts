/** Where a user asks a group that has several servers, and where next. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reach } from "../../lib/user/reach.ts";
import { atAny, Servers } from "../../lib/user/servers.ts";
import type { LinkState } from "../../lib/user/types.ts";
import { holds } from "./properties.ts";

const place = (n: number) => `10.0.0.${n}:5560`;
const places = (...all: number[]) => all.map(place);

test("a user begins at any server of a group, and knows the others", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const { address, servers } = atAny({ address: place(1), servers: places(2, 3) });
    assert.deepEqual([address, ...servers!].sort(), places(1, 2, 3));
    seen.add(address);
  }
  assert.equal(seen.size, 3);
  assert.deepEqual(atAny({ address: place(1) }), { address: place(1), servers: [] });
});

test("of several servers each is tried once, then none is left until all can be tried again", () => {
  const servers = new Servers({ address: place(1), servers: places(2, 3) });
  const tried = [servers.address];
  while (servers.next()) tried.push(servers.address);
  assert.deepEqual(tried.toSorted(), places(1, 2, 3));
  assert.equal(servers.next(), false);
  servers.again();
  assert.equal(servers.next(), true);
  assert.equal(new Servers({ address: place(1) }).next(), false);
});

test("the group says where it is: what failed and is not among it is forgotten, what was not tried stays", () => {
  const servers = new Servers({ address: place(1), servers: places(2, 3) });
  const known = () => [servers.address, ...servers.others].toSorted();
  assert.ok(servers.next());
  servers.told([]);
  assert.deepEqual(known(), places(1, 2, 3), "the others may be back before this one goes");
  servers.again();
  const here = servers.address;
  assert.ok(servers.next());
  servers.told([servers.address, place(4), "ipc:///tmp/group"]);
  assert.ok(!known().includes(here));
  assert.deepEqual(known(), [...places(1, 2, 3, 4)].filter((address) => address !== here));
});

test("a registry says where else a group is: the only server moves, of several there is one more", () => {
  const one = new Servers({ address: place(1) });
  assert.equal(one.found({ address: place(1) }), false);
  assert.equal(one.found({ address: place(2) }), true);
  assert.deepEqual([one.address, one.others], [place(2), []]);
  assert.equal(one.found({ address: place(1) }), true, "it moved back");

  const several = new Servers({ address: place(1), servers: places(2) });
  while (several.next());
  assert.equal(several.found({ address: place(1), servers: places(2) }), false);
  assert.equal(several.found({ address: place(1), servers: places(3, 2) }), true);
  assert.equal(several.address, place(3));
  assert.deepEqual([...several.others].sort(), places(1, 2));
});

test("a group is lost when others were met wherever it can be", () => {
  const servers = new Servers({ address: place(1), servers: places(2) });
  servers.meet();
  assert.ok(!servers.isLost);
  assert.ok(servers.next());
  servers.meet();
  assert.ok(servers.isLost);
  servers.told([]);
  assert.ok(!servers.isLost);
});

test("servers property: whatever is told, found and lost, here is none of the others, each once, 16 at most", () => {
  const many = fc.array(fc.integer({ min: 1, max: 40 }).map(place), { maxLength: 20 });
  const steps = fc.array(
    fc.record({ what: fc.constantFrom("next", "again", "told", "found", "meet"), all: many }),
    { maxLength: 30 },
  );
  holds(steps, (done) => {
    const servers = new Servers({ address: place(1) });
    for (const { what, all } of done) {
      if (what === "told") servers.told(all);
      else if (what === "found") {
        if (all.length > 0) servers.found({ address: all[0], servers: all.slice(1) });
      } else servers[what as "next" | "again" | "meet"]();
      const { address, others } = servers;
      assert.ok(!others.includes(address));
      assert.equal(new Set(others).size, others.length);
      assert.ok(others.length <= 16);
    }
  });
});

test("a group of one server is unreachable at once, one of several is given time", () => {
  const told: LinkState[] = [];
  const reach = new Reach((state) => told.push(state));
  reach.live();
  reach.away(true);
  assert.equal(reach.state, "live");
  reach.live();
  reach.away(false);
  assert.deepEqual(told, ["live", "unreachable"]);
  reach.live();
  reach.away(true);
  reach.close();
  reach.away(false);
  assert.deepEqual(told, ["live", "unreachable", "live"]);
});
