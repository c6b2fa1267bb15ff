import assert from "node:assert/strict";
import { test } from "node:test";
import { doctor } from "../../lib/cli/doctor.ts";
import type { Machine } from "../../lib/cli/program.ts";
import { shortKey } from "../../lib/identity/keys.ts";
import type { ServerFound as Server } from "../../lib/user/types.ts";
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

/** What the doctor prints about a machine and servers, and its exit code. */
async function says(
  machine: Partial<Machine>,
  servers: readonly Partial<Server>[],
): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const user = {
    name: "alice",
    id: "id",
    diagnose: () => Promise.resolve(servers.map((server) => ({ ...SERVER, ...server }))),
    close: () => Promise.resolve(),
  };
  const code = await doctor(
    {
      given: { flags: new Set(), texts: new Map(), lists: new Map(), positionals: ["doctor"] },
      home: "/home",
      doors: {
        machine: () => Promise.resolve({ ...WELL, ...machine }),
        lookingUser: () => Promise.resolve(user),
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
    assert.match(text, /^1 of \d+ are wrong$/m);
  }
});
