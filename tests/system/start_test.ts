/** `user.ts start`: its servers beside the screen, in the background, and for other machines. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { systemName } from "../../lib/run/user_file.ts";
import { isOwnOnly } from "../../lib/text/addresses.ts";
import { allAddresses } from "../../lib/transport/own_addresses.ts";
import { connect, Group, Registry } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { freePort } from "../support/port.ts";
import { NO_TERMINAL, Terminal } from "../support/terminal.ts";
import { ours, Process } from "./processes.ts";
import { serversEnded, StartWorld } from "./start_world.ts";
import { bare, Folder, portOf } from "./world.ts";

const skip = NO_TERMINAL;

/** A field of what Linux says of a process. */
function statOf(pid: number): { readonly parent: number; readonly session: number } {
  const [, parent, , session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return { parent: Number(parent), session: Number(session) };
}

test("start: a screen that stands still holds up nobody, and its servers end with it", {
  skip,
}, () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    await world.person("alice");
    const { pid, background } = await world.status();
    const { parent, session } = statOf(pid);
    assert.equal(background, false);
    assert.equal(session, pid, "it has a session of its own: no key of the terminal reaches it");
    process.kill(parent, "SIGSTOP");
    const bob = await world.guest("bob");
    const carol = await world.guest("carol");
    const { seq } = await bob.send("Lobby", "hi");
    for await (const { text } of carol.follow("Lobby", { after: seq - 1 })) {
      assert.equal(text, "hi");
      break;
    }
    process.kill(parent, "SIGKILL");
    await serversEnded(world.home);
  }));

test("start: servers that end by themselves are told at the prompt, with the way out", {
  skip,
}, () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const alice = await world.person("alice");
    process.kill((await world.status()).pid, "SIGKILL");
    await alice.shows(
      /The servers beside this program ended \(SIGKILL\)[^]*exit and\s+start\s+again[^]*servers\.log/,
    );
    alice.press("ctrl-d");
    assert.equal(await alice.end(), 0);
  }));

test("start: who leaves others behind is asked, and the servers go on in the background", {
  skip,
}, () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const alice = await world.person("alice");
    const bob = await world.guest("bob");
    await world.guest("carol");
    alice.type("exit\r");
    await alice.shows(
      /2 others are in Lobby here, on[^]*b: they go[^]*e: they end[^]*to the prompt$/,
    );
    alice.type("xb");
    await alice.shows(/^\* in the background: registry \S+, Lobby \S+$/m);
    assert.equal(await alice.end(), 0);
    assert.match(alice.text, /to end it +\S.* stop --home /);
    assert.equal((await world.status()).background, true);
    await bob.send("Lobby", "still here");

    // A later start finds it, wherever its registry is, and ends without asking.
    const again = world.start("--name", "alice");
    await again.shows("bob: still here");
    assert.match(again.text, /run in the background/);
    again.press("ctrl-d");
    assert.equal(await again.end(), 0);
    const { output } = await world.run(["stop"]);
    assert.match(output, /^\* ended: registry \S+, Lobby \S+$/m);
    assert.equal((await world.status()).running, false);
  }));

test("start: servers of a terminal are let go by --detach alone, and ended by stop after that", {
  skip,
}, () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const alice = await world.person("alice");
    const refused = await world.run(["stop"], { code: 1 });
    assert.match(refused.output, /belong to the terminal that started them[^]* start --detach/);
    await world.run(["start", "--detach"]);
    await world.guest("bob");
    alice.press("ctrl-d");
    assert.equal(await alice.end(), 0);
    assert.doesNotMatch(alice.text, / here, on servers/);
    const { background, groups } = await world.status();
    assert.deepEqual([background, groups.map(({ connected }) => connected)], [true, [1]]);
    await world.run(["stop"]);
    assert.equal((await world.status()).running, false);
  }));

test("start: who would end servers with others in them can go back, or means it", {
  skip,
}, () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    for (const end of ["e", "ctrl-d", "ctrl-c"] as const) {
      const alice = await world.person("alice");
      const bob = await world.guest("bob");
      const asked = async () => {
        const question = / here,\s+on\s+servers[^]*?back\s+to\s+the\s+prompt/;
        await alice.showsNext(() => alice.press("ctrl-c"), question);
      };
      await asked();
      if (end === "e") {
        for (const key of ["enter", "escape"] as const) {
          alice.press(key);
          await alice.line("Lobby>");
          await asked();
        }
        alice.type("n");
        await alice.line("Lobby>");
        await alice.enter("still here", "alice: still here");
        await alice.resize(40, 24);
        await asked();
        const words = alice.text.slice(alice.text.lastIndexOf("1 other is"));
        assert.ok(words.split("\n").every((row) => row.length <= 40), words);
        assert.equal(words.match(/\b(background|servers)\b/g)?.length, 2);
        alice.type("e");
      } else {
        alice.press("ctrl-c"); // Back to the prompt, once.
        await alice.line("Lobby>");
        await asked();
        alice.press(end);
      }
      assert.equal(await alice.end(), 0);
      assert.ok(alice.written.endsWith("\r\n"), "what comes next begins a line");
      await serversEnded(world.home);
      await bob.close();
    }
  }));

test("start: groups that were made there come back, at their address where that is free", {
  skip,
}, () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const alice = await world.person("alice");
    await alice.enter("create_group Team", /Team listens on \S+ until this program ends/);
    await alice.line("Team>");
    const bob = await world.person("bob"); // Another user of the home.
    await bob.enter("create_group Crew", /Crew listens on \S+ until this program ends/);
    await bob.line("Crew>");
    const addressOf = async (name: string) => {
      const { groups } = await world.status();
      return groups.find((group) => group.name === name)?.address;
    };
    const before = await addressOf("Team");
    for (const person of [bob, alice]) {
      person.press("ctrl-d");
      assert.equal(await person.end(), 0);
    }
    await serversEnded(world.home);

    const again = await world.person("alice");
    await again.shows(new RegExp(`^\\* Team, made here, is at ${before} again$`, "m"));
    await again.shows(/^\* Crew, made here, is at \S+ again$/m);
    assert.equal(await addressOf("Team"), before);
    await again.enter("/stop Team", "its data is kept");
    assert.equal(await addressOf("Team"), undefined);
    const crew = (await addressOf("Crew"))!;
    again.press("ctrl-d");
    assert.equal(await again.end(), 0);
    await serversEnded(world.home);

    const other = createServer().listen(portOf(crew), "127.0.0.1");
    await once(other, "listening");
    const last = await world.person("alice");
    await last.shows(/^\* Crew, made here, is at \S+ again$/m);
    assert.notEqual(await addressOf("Crew"), crew);
    assert.doesNotMatch(last.text, /Team, made here/);
    other.close();
  }));

test("start: --registry joins there, and a group of one's own is listed there", () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const where = ["start", "--registry", registry.address, "--name", "alice"];
    const empty = await world.run(where, { input: "create_group Mine\nmembers\n" });
    assert.match(
      empty.output,
      /^\* the registry \S+ lists no Lobby: join_group G, or create_group/m,
    );
    assert.match(empty.output, /^\* Mine listens on /m);
    assert.match(empty.output, /^alice\S* \(founder, here\)/m);
    const lobby = keep(await Group.start({ name: "Lobby", registries }));
    const joined = await world.run(where, { input: "members\nlist_groups\n" });
    assert.match(
      joined.output,
      new RegExp(`^\\* joined Lobby ${lobby.address} .*${bare(registry.address)}`, "m"),
    );
    assert.match(joined.output, /^alice\S* \((here|member)/m); // A script has a current group.
    assert.match(joined.output, /^Mine - /m); // It came back.
    await registry.close();
    const silent = await world.run(where, { code: 1 });
    assert.match(
      silent.output,
      /^FAILED: Cannot start: no registry answers at .*; look whether it runs/m,
    );
    const both = await world.run([...where, "--port", "5"], { code: 2 });
    assert.match(both.output, /^FAILED: Cannot use --port with --registry/m);
  }));

test("start: --host serves others, prints what they type, and knows this machine's addresses", () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const host = ["--host", "127.0.0.1", ...world.port];
    const told = await world.run(["start", "--detach", ...host]);
    const line = /^ {2}on another machine +(.*)$/m.exec(told.output)![1];
    const { registry: { address, key }, groups: [lobby] } = await world.status();
    assert.equal(address, world.registry);
    assert.ok(line.endsWith(` start --registry ${address}#${key}`), line);
    const other = keep(new Folder()).path;
    const words = line.slice(line.indexOf("start --registry")).split(" ");
    const there = keep(new Process(ours("user.ts", ...words, "--name", "bob", "--home", other)));
    await there.line(/^\* joined Lobby /);
    await until(async () => (await world.status()).groups[0].connected === 1, 10_000, "bob");
    there.finish();
    assert.equal((await there.end(10_000)).code, 0);
    assert.equal(bare(lobby.address).split(":")[0], "127.0.0.1");
    await world.run(["stop"]);
    const none = await world.run(["start", "--host", "203.0.113.9"], { code: 2 });
    assert.match(none.output, /expected an address of this machine, .*127\.0\.0\.1/);
  }));

test("start: without an option it is as last time, and a Lobby of its own is no stranger", () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const registry = keep(await Registry.start({ port: 0 }));
    const there = keep(await Group.start({ name: "Lobby", registries: [registry.address] }));
    const input = "members\n";
    const joined = new RegExp(`^\\* joined Lobby ${there.address} .*runs already`, "m");
    const words = ["start", "--registry", registry.address];
    const first = await world.run([...words, "--name", "alice"], { input });
    assert.match(first.output, joined);
    assert.doesNotMatch(first.output, /as last time/);
    const again = await world.run(["start"], { input });
    assert.match(again.output, joined);
    assert.match(
      again.output,
      / \(as last time; ".* start --host 127\.0\.0\.1 --home .* alone\)$/m,
    );

    const own = new RegExp(`^\\* registry ${world.registry} .* and Lobby (\\S+) `, "m");
    for (const given of [["--host", "127.0.0.1", ...world.port], []]) {
      const { output } = await world.run(["start", ...given], { input });
      assert.match(output, own);
      assert.notEqual(own.exec(output)![1], there.address);
      assert.match(
        output,
        new RegExp(`^ {2}another Lobby that you are in, at ${there.address} `, "m"),
      );
      assert.doesNotMatch(output, /FAILED/);
      assert.match(output, /^alice\S* \((founder, )?here/m);
    }
    const back = await world.run(words, { input });
    assert.match(back.output, joined);
    assert.doesNotMatch(back.output, /FAILED/);
    await registry.close();
    const silent = await world.run(["start"], { code: 1 });
    assert.match(
      silent.output,
      /no registry answers at .*, or ".* start --host 127\.0\.0\.1 .*" to/,
    );
  }));

test("start: the host that was given is taken again, and who it serves is told how to come", () =>
  closing(async (keep) => {
    const world = await StartWorld.open(keep);
    const mine = allAddresses().find((address) => !isOwnOnly(address) && !address.includes(":"));
    const host = mine ?? "127.0.0.1";
    const [, port] = world.port;
    const line = new RegExp(`^ {2}on another machine +.* start --registry ${host}:${port}#`, "m");
    const given = ["start", "--detach", "--host", host, ...world.port];
    assert.match((await world.run(given)).output, line);
    for (const words of mine ? [["start", "--detach"], ["status"]] : []) {
      assert.match((await world.run(words)).output, line);
    }
    const other = ["start", "--detach", "--host", "127.0.0.1", "--port", String(await freePort())];
    const refused = await world.run(other, { code: 1 });
    assert.match(refused.output, /end them first with "\S+.* stop --home .*"/);
    await world.run(["stop"]);
    const again = await world.run(["start", "--detach"]);
    assert.match(
      again.output,
      new RegExp(`registry ${host}:${port}, Lobby ${host}:.*as last time`),
    );
    assert.match(again.output, line);
    await world.run(["stop"]);
    writeFileSync(join(world.home, "started.json"), JSON.stringify({ host: "203.0.113.9" }));
    const gone = await world.run(["start", "--detach"], { code: 2 });
    assert.match(
      gone.output,
      /Cannot start at 203\.0\.113\.9 as last time: .*127\.0\.0\.1.* start --host ADDRESS/,
    );
  }));

test(
  "start: who answers the question of the name is renamed in the groups joined",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await StartWorld.open(keep);
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      keep(await Group.start({ name: "Crew", registries }));
      const bob = keep(await connect({ name: "bob", registries }));
      await bob.join("Crew");
      const where = ["--registry", registry.address];
      await world.run(["join", "Crew", ...where]);
      const names = async () => (await bob.members("Crew")).map(({ name }) => name).sort();
      assert.deepEqual(await names(), ["bob", systemName()].sort());
      const person = keep(new Terminal(ours("user.ts", "--home", world.home, ...where)));
      await person.shows("Your name, as others see it");
      await person.enter("Dora", /you +Dora/);
      assert.deepEqual(await names(), ["Dora", "bob"]);
      await person.line("Crew>");
      person.press("ctrl-d");
      assert.equal(await person.end(), 0);
    }),
);

test(
  "start: the name is asked for until somebody chose one",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await StartWorld.open(keep);
      const name = systemName();
      await world.run(["start", ...world.port], { input: "exit\n" }); // A pipe is not asked.
      const alice = world.start(...world.port);
      await alice.shows(`Your name, as others see it [${name}]:`);
      await alice.enter("alice", /you +alice/);
      await alice.line("Lobby>");
      const second = world.start(...world.port);
      await second.shows(`Your name, as others see it [${name}-2]:`);
      await second.enter("", new RegExp(`you +${name}-2`));
      await second.line("Lobby>");
      for (const person of [second, alice]) {
        person.press("ctrl-d");
        assert.equal(await person.end(), 0);
      }
      const again = world.start(...world.port);
      await again.shows(/you +alice/);
      assert.doesNotMatch(again.text, /Your name/);
      await again.shows(
        new RegExp(
          `^\\* you are alice; [^]*start\\s+--name\\s+${name}-2[^]*\\s+is\\s+${name}-2$`,
          "m",
        ),
      );
      again.press("ctrl-d");
      assert.equal(await again.end(), 0);
      // Whoever opens the first window is who is named.
      const other = world.start("--name", `${name}-2`, ...world.port);
      await other.shows(/^\* you are [^]*--name\s+alice[^]*\s+is\s+alice$/m);
      assert.match(other.text, new RegExp(`you +${name}-2#`));
    }),
);
