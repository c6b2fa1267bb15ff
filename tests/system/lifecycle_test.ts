import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, Group, Registry } from "../../mod.ts";
import { shortKey } from "../../lib/identity/keys.ts";
import { closing } from "../support.ts";
import { freePort } from "../support/port.ts";
import { ours, Process } from "./processes.ts";
import { Folder, portOf } from "./world.ts";

/** An address where nothing listens. */
async function deadAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

function addressIn(line: string): string {
  return /listens on ([^\s,]+)/.exec(line)![1];
}

/** How long stopping may take, ms. */
const STOP_WITHIN = 2_000;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`registry.ts ends with 0 within 2 s of ${signal}, and starts again on its port`, () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const start = (port: string) =>
        keep(new Process(ours("registry.ts", "--port", port, "--home", path)));
      const registry = start("0");
      const address = addressIn(await registry.line(/listens on/));
      registry.signal(signal);
      assert.deepEqual(await registry.end(STOP_WITHIN), { code: 0, signal: null }, registry.output);

      const again = start(String(portOf(address)));
      assert.equal(addressIn(await again.line(/listens on/)), address);
    }));

  test(`group.ts ends with 0 within 2 s of ${signal}, and takes its lease back`, () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const registry = keep(await Registry.start({ port: 0 }));
      const user = keep(await connect({ name: "alice", registries: [registry.address] }));
      const options = ["--registry", registry.address, "--home", path];
      const group = keep(new Process(ours("group.ts", "Lab", "127.0.0.1:0", ...options)));
      const address = addressIn(await group.line(/listens on/));
      assert.deepEqual((await user.list()).map((listing) => listing.address), [address]);
      await user.join("Lab");

      group.signal(signal);
      assert.deepEqual(await group.end(STOP_WITHIN), { code: 0, signal: null }, group.output);
      assert.deepEqual(await user.list(), []);
    }));
}

test("group.ts refuses a folder that another group holds, with a sentence and 1", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const command = ours("group.ts", "Lab", "127.0.0.1:0", "--registry", await deadAddress());
    const first = keep(new Process([...command, "--data", path, "--home", path]));
    await first.line(/listens on/);
    const second = keep(new Process([...command, "--data", path, "--home", path]));
    assert.equal((await second.end(10_000)).code, 1, second.output);
    assert.match(second.output, /^FAILED: Cannot .*(held|another|in use)/m);
    first.signal("SIGTERM");
    assert.equal((await first.end(STOP_WITHIN)).code, 0, first.output);
  }));

test("group.ts starts while its registry is away, and is listed when it comes", () =>
  closing(async (keep) => {
    const address = await deadAddress();
    const options = ["--registry", address, "--memory"];
    const { path } = keep(new Folder());
    const group = keep(
      new Process(ours("group.ts", "Lab", "127.0.0.1:0", ...options), {
        env: { ZGROUP_HOME: path },
      }),
    );
    await group.line(/listens on/);
    const registry = keep(
      new Process(ours("registry.ts", "--port", `${portOf(address)}`), {
        env: { ZGROUP_HOME: path },
      }),
    );
    await registry.line(/listens on/);
    await registry.line(/JOIN REQUEST FROM/, 5_000);
  }));

test("user.ts says within 5 s that a registry does not answer, and ends with 1", () =>
  closing(async (keep) => {
    const address = await deadAddress();
    const { path } = keep(new Folder());
    const user = keep(new Process(ours("user.ts", "list", "--registry", address, "--home", path)));
    user.finish();
    assert.equal((await user.end(5_000)).code, 1, user.output);
    assert.match(user.output, new RegExp(`^FAILED: Cannot reach the registry at ${address}`, "m"));
  }));

test("programs end with 2 and a sentence for what they cannot use", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const wrong = [
      ["registry.ts", "--port", "99999"],
      ["registry.ts", "--nonsense"],
      ["group.ts", "Lab"],
      ["group.ts", "Lab", "nowhere"],
      ["user.ts", "fly"],
      ["registry.ts", "--transport", "tcp"],
      ["group.ts", "Lab", "127.0.0.1:0", "--transport", "tcp"],
      ["user.ts", "list", "--transport", "tcp"],
      ["user.ts", "list", "--registry", "127.0.0.1:5555#key"],
    ];
    await Promise.all(wrong.map(async ([script, ...args]) => {
      const program = keep(new Process(ours(script, ...args, "--home", path)));
      program.finish();
      assert.equal((await program.end(10_000)).code, 2, `${script} ${args}: ${program.output}`);
      assert.match(program.output, /^FAILED: Cannot /m);
    }));
  }));

test("the three programs run with the permissions for sockets, files and surroundings alone", {
  skip: "Deno" in globalThis ? false : "Node asks for no permissions",
}, () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const need = ["net", "read", "write", "env", "sys"].map((what) => `--allow-${what}`);
    const start = (script: string, ...args: string[]) => {
      const [deno, run, , ...rest] = ours(script, ...args, "--home", path);
      const program = keep(new Process([deno, run, "--no-prompt", ...need, ...rest]));
      program.finish();
      return program;
    };
    const registry = start("registry.ts", "--port", "0");
    const options = ["--registry", addressIn(await registry.line(/listens on/))];
    await start("group.ts", "Lab", "127.0.0.1:0", ...options).line(/listens on/);
    for (const command of [["join", "Lab"], ["send", "Lab", "hi"], ["read", "Lab"], ["doctor"]]) {
      const user = start("user.ts", ...command, ...options);
      assert.equal((await user.end(10_000)).code, 0, user.output);
    }
  }));

test("a program without permissions says which one it needs", {
  skip: "Deno" in globalThis ? false : "Node asks for no permissions",
}, () =>
  closing(async (keep) => {
    for (const script of ["registry.ts", "group.ts", "user.ts"]) {
      const [deno, run, , ...rest] = ours(script, "Lab", "127.0.0.1:0");
      const program = keep(new Process([deno, run, "--no-prompt", "--allow-net", ...rest]));
      program.finish();
      assert.ok([1, 2].includes((await program.end(10_000)).code!), program.output);
      assert.match(program.output, /^FAILED: .+$/m);
      assert.doesNotMatch(program.output, /Uncaught/);
    }
  }));

test("another registry in the place of a known one is told with both keys, until it is trusted", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const first = keep(await Registry.start({ port: 0 }));
    const port = portOf(first.address);
    const user = async (...args: string[]) => {
      const known = ["--registry", `127.0.0.1:${port}`, "--home", path];
      const program = keep(new Process(ours("user.ts", ...args, ...known)));
      program.finish();
      return { ...await program.end(10_000), output: program.output };
    };
    assert.equal((await user("list")).code, 0);
    await first.close();
    const second = keep(await Registry.start({ port }));
    const [before, now] = [first, second].map(({ key }) => shortKey(key));
    const refused = await user("list");
    assert.equal(refused.code, 1);
    assert.match(refused.output, new RegExp(`^FAILED: .*CHANGED.*${before}.*${now}.*trust`, "m"));
    const trusted = await user("trust", `127.0.0.1:${port}`);
    assert.match(trusted.output, new RegExp(`${before}.*${now}.*\\n[^]*^SUCCESS$`, "m"));
    assert.equal((await user("list")).code, 0);
  }));

test("every choice of the menu that asks nothing does something", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const registry = keep(await Registry.start({ port: 0 }));
    keep(await Group.start({ name: "Lab", registries: [registry.address] }));
    const options = ["--registry", registry.address, "--home", path];
    const user = keep(new Process(ours("user.ts", ...options)));
    user.write("join_group Lab\nmenu\n1\n6\n9\n");
    assert.equal((await user.end(10_000)).code, 0, user.output);
    assert.equal(user.output.match(/^Lab - 127/gm)?.length, 2, user.output);
  }));

test("a program whose port is taken ends with a sentence that names it", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const registry = keep(await Registry.start({ port: 0 }));
    const port = String(portOf(registry.address));
    const second = keep(new Process(ours("registry.ts", "--port", port, "--home", path)));
    const { code } = await second.end(10_000);
    assert.match(second.output, new RegExp(`FAILED: Cannot bind .*${port}`));
    assert.equal(code, 1);
  }));

test("a second registry on a home that is in use is refused with a sentence", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const first = keep(new Process(ours("registry.ts", "--port", "0", "--home", path)));
    await first.line(/listens on/, 10_000);
    const second = keep(new Process(ours("registry.ts", "--port", "0", "--home", path)));
    const { code } = await second.end(10_000);
    assert.match(second.output, /FAILED: Cannot use the folder .*another registry uses it/);
    assert.equal(code, 1);
  }));
