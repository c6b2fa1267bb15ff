import assert from "node:assert/strict";
import { test } from "node:test";
import { doctor } from "../../lib/cli/doctor.ts";
import type { DatabaseFound, Machine } from "../../lib/cli/program.ts";
import { shortKey } from "../../lib/identity/keys.ts";
import type { NamesCompared, ServerFound as Server } from "../../lib/user/types.ts";
import { fixedKey } from "./fixtures.ts";

const WELL: Machine = {
  versions: "Deno 2, linux",
  wire: "zmtp (ours)",
  folderProblem: undefined,
  hasUser: true,
  problems: [],
  free: 1e9,
  descriptorProblem: undefined,
};
const SERVER: Server = { what: "registry", address: "127.0.0.1:5555", took: 2, ahead: 5 };

const LOG = "postgres://zgroup:secret@h1,h2/zgroup";

const AGREED: NamesCompared = { compared: 0, disputes: [] };

/** What the doctor prints about a machine, servers, and a database; and its exit code. */
async function says(
  { names = AGREED, ...machine }: Partial<Machine> & { names?: NamesCompared },
  servers: readonly Partial<Server>[],
  database?: DatabaseFound,
  ...flags: string[]
): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const texts = new Map(database ? [["log", LOG]] : []);
  const user = {
    name: "alice",
    id: "id",
    diagnose: () => Promise.resolve(servers.map((server) => ({ ...SERVER, ...server }))),
    compareNames: () => Promise.resolve(names),
    close: () => Promise.resolve(),
  };
  const code = await doctor(
    {
      given: { flags: new Set(flags), texts, lists: new Map(), positionals: ["doctor"] },
      home: "/home",
      doors: {
        machine: () => Promise.resolve({ ...WELL, ...machine }),
        lookingUser: () => Promise.resolve(user),
        database: () => Promise.resolve(database),
      },
      output: {
        style: { colour: false },
        print: (line: string) => Promise.resolve(void lines.push(line)),
        complain: () => Promise.resolve(),
      },
      run: { signal: new AbortController().signal, onClose: () => {} },
    } as unknown as Parameters<typeof doctor>[0],
  );
  return { code, text: lines.join("\n") };
}

test("doctor says that all is well and ends with 0", async () => {
  const key = fixedKey(0).publicKey;
  const { code, text } = await says({}, [{ key }]);
  assert.equal(code, 0);
  assert.match(text, /^ok +wire: zmtp \(ours\), every connection sealed$/m);
  assert.ok(text.includes(`clocks agree, its key is ${shortKey(key)}\n`), text);
  assert.match(text, /All is well$/);
  assert.doesNotMatch(text, /WRONG/);
});

test("doctor tells of a group with several servers who answers and who does not", async () => {
  const server = { what: "Lab", several: true };
  const { code, text } = await says({}, [
    { ...server, address: "10.0.0.1:5560" },
    { ...server, address: "10.0.0.2:5560", problem: "no answer" },
  ]);
  assert.equal(code, 1);
  assert.match(text, /^ok +Lab 10.0.0.1:5560: answers in 2 ms$/m);
  assert.match(
    text,
    /^WRONG +Lab 10.0.0.2:5560: no answer\n +its members go on at the others; start/m,
  );
});

test("doctor compares what registries say of the same names", async () => {
  const [one, other] = [fixedKey(0).publicKey, fixedKey(100).publicKey];
  const agreed = await says({ names: { compared: 3, disputes: [] } }, []);
  assert.equal(agreed.code, 0);
  assert.match(agreed.text, /^ok +registries: they agree on 3 names$/m);
  const owners = [
    { key: one, registries: ["10.0.0.1:5555", "10.0.0.2:5555"], known: true },
    { key: other, registries: ["10.0.0.3:5555"], known: false },
  ];
  const { code, text } = await says(
    { names: { compared: 3, disputes: [{ name: "Lab", owners }] } },
    [],
  );
  assert.equal(code, 1);
  assert.ok(
    text.includes(
      `WRONG  the name "Lab": 10.0.0.1:5555 and 10.0.0.2:5555 give it to the key ${
        shortKey(one)
      }, ` +
        `whom you know; 10.0.0.3:5555 gives it to the key ${shortKey(other)}\n`,
    ),
    text,
  );
  assert.match(text, /\n +ask the group's owner which key is right; /);
});

test("doctor names what is wrong, says what to do, and ends with 1", async () => {
  const cases: [Partial<Machine>, Partial<Server>, RegExp][] = [
    [{}, { problem: "no answer" }, /WRONG +registry 127.0.0.1:5555: no answer\n +start it/],
    [
      {},
      { what: "Lab", problem: "no answer" },
      /WRONG +Lab .*\n +start it \((group.ts|zgroup group)\)/,
    ],
    [{}, { problem: "KEY HAS CHANGED", why: "another" }, /CHANGED\n +ask its owner whether/],
    [{}, { problem: "needs libzmq", why: "unusable" }, /needs libzmq\n1 of/],
    [{}, { ahead: 3_600_000 }, /WRONG +.* its clock is 3600 s ahead of yours\n +set the clock/],
    [{}, { ahead: -90_000 }, /90 s behind yours/],
    [{ free: 1_000_000 }, {}, /WRONG +disk: 0 MiB free\n +make room/],
    [{ descriptorProblem: "Only 256" }, {}, /WRONG +Only 256/],
    [{ problems: ["identity.json is gone"] }, {}, /WRONG +identity.json is gone/],
    [{ folderProblem: "folder: no" }, {}, /WRONG +folder: no\n +choose another/],
  ];
  for (const [machine, server, wanted] of cases) {
    const { code, text } = await says(machine, [server]);
    assert.equal(code, 1, text);
    assert.match(text, wanted);
    assert.match(text, /^1 of \d+ things is wrong$/m);
  }
});

test("doctor --json prints one object a line and nothing else, with the way out where it is wrong", async () => {
  const { code, text } = await says({}, [{}, { problem: "no answer" }], undefined, "json");
  assert.equal(code, 1);
  const found = text.split("\n").map((line) => JSON.parse(line));
  assert.equal(found.filter(({ good }) => !good).length, 1);
  for (const { good, text, advice } of found) {
    assert.equal(typeof text, "string");
    assert.equal(typeof advice === "string", !good, text);
  }
});

type Primary = NonNullable<DatabaseFound["primary"]>;

const GROUP: Primary["groups"][number] = {
  name: "Lab",
  head: 1_234,
  holder: "10.0.0.1:5560",
  isAlive: true,
  moved: undefined,
  isWhole: true,
};
const PRIMARY: Primary = {
  settings: {
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    synchronous_standby_names: "ANY 1 (h2, h3)",
    data_checksums: "on",
  },
  standbys: 2,
  inSync: 2,
  role: "zgroup",
  schema: 1,
  known: 1,
  groups: [GROUP],
};
const HOSTS: DatabaseFound["hosts"] = [
  { address: "h1:5432", version: "15.18", isPrimary: true },
  { address: "h2:5432", version: "15.18", isPrimary: false },
];

test("doctor says of a database that all is well, one line an item", async () => {
  const { code, text } = await says({}, [], { hosts: HOSTS, primary: PRIMARY });
  assert.equal(code, 0, text);
  assert.match(text, /^ok +database h1:5432: PostgreSQL 15.18, primary$/m);
  assert.match(text, /^ok +database h2:5432: PostgreSQL 15.18, standby$/m);
  assert.match(
    text,
    /^ok +database: synchronous_standby_names = "ANY 1 .*", 2 of 2 standbys in sync$/m,
  );
  assert.match(
    text,
    /^ok +group "Lab" in the database: up to entry 1,234, held by 10.0.0.1:5560$/m,
  );
  const hidden = await says({}, [], { hosts: HOSTS, primary: { ...PRIMARY, inSync: undefined } });
  assert.equal(hidden.code, 0);
  assert.match(hidden.text, /2 standbys connected \(.* GRANT pg_read_all_stats TO zgroup\)/);
});

test("doctor names what is wrong with a database, says what to do, and ends with 1", async () => {
  const setting = (name: string, value: string): Partial<Primary> => ({
    settings: { ...PRIMARY.settings, [name]: value },
  });
  const cases: [Partial<Primary>, RegExp][] = [
    [setting("fsync", "off"), /WRONG +database: fsync = off\n +a loss of power .*fsync = on/],
    [setting("full_page_writes", "off"), /WRONG +database: full_page_writes = off\n/],
    [setting("synchronous_commit", "local"), /WRONG +database: synchronous_commit = local\n/],
    [setting("data_checksums", "off"), /WRONG +database: data_checksums = off\n.*pg_checksums/],
    [setting("synchronous_standby_names", ""), /WRONG .*one disk only\n +set it .*--single-copy/],
    [{ inSync: 0 }, /WRONG .* 0 of 2 standbys in sync\n +groups accept nothing until/],
    [{ inSync: undefined, standbys: 0 }, /WRONG .* 0 standbys connected/],
    [{ schema: 2 }, /WRONG .*schema version 2, this program knows 1\n +a newer zgroup/],
    [{ groups: [{ ...GROUP, isAlive: false }] }, /WRONG .*5560 has it, and does not renew/],
    [{ groups: [{ ...GROUP, isWhole: false }] }, /WRONG .*a copy to here has not ended\n/],
  ];
  for (const [primary, wanted] of cases) {
    const { code, text } = await says({}, [], {
      hosts: HOSTS,
      primary: { ...PRIMARY, ...primary },
    });
    assert.equal(code, 1, text);
    assert.match(text, wanted);
    assert.match(text, /^1 of \d+ things is wrong$/m);
  }
  const [first] = HOSTS;
  const silent = [first, { address: "h2:5432", problem: "connect ECONNREFUSED" }];
  const one = await says({}, [], { hosts: silent, primary: PRIMARY });
  assert.match(one.text, /WRONG +database h2:5432: connect ECONNREFUSED\n +start it, or check/);
  const none = await says({}, [], { hosts: silent.slice(1) });
  assert.match(none.text, /^2 of \d+ things are wrong$/m);
  const enough = { ...PRIMARY, ...setting("synchronous_standby_names", "") };
  assert.equal((await says({}, [], { hosts: HOSTS, primary: enough }, "single-copy")).code, 0);
});
