/** What a URL of PostgreSQL says, and what is said where nothing comes of it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { LogAway, LogUnsafe, UsageError } from "../../lib/errors.ts";
import { postgresLog } from "../../lib/log/postgres.ts";
import { postgresTarget } from "../../lib/log/postgres_url.ts";
import { Folder } from "../support/folder.ts";
import { freePort } from "../support/port.ts";
import { availablePostgres, PostgresCluster, type PostgresNode } from "../support/postgres.ts";
import { powerOf } from "./log_support.ts";

const skip = availablePostgres();
let started: Promise<PostgresCluster> | undefined;
after(async () => (await started)?.close());
const cluster = () => started ??= PostgresCluster.start();

test("postgres url: hosts, user, password, database, and what the environment adds", () => {
  const { hosts, database, user, password, sslMode, shown } = postgresTarget(
    "postgres://al%20ice:p%40ss@h1,h2:5433,[::1]:5434/my%2Fdb?sslmode=disable",
    { PGPASSWORD: "other" },
  );
  assert.deepEqual(hosts, [
    { host: "h1", port: 5432 },
    { host: "h2", port: 5433 },
    { host: "::1", port: 5434 },
  ]);
  assert.deepEqual([database, user, sslMode], ["my/db", "al ice", "disable"]);
  assert.equal(password(hosts[0]), "p@ss");
  assert.equal(shown, "postgres://h1,h2:5433,[::1]:5434/my/db");
  const env = { PGUSER: "bob", PGPASSWORD: "secret", PGPORT: "7", PGSSLMODE: "require" };
  const other = postgresTarget("postgresql://h/db", env);
  assert.deepEqual([other.user, other.hosts, other.sslMode], [
    "bob",
    [{ host: "h", port: 7 }],
    "require",
  ]);
  assert.equal(other.password(other.hosts[0]), "secret");
});

test("postgres url: passwords come from a file that only its owner reads", async () => {
  await using folder = new Folder();
  const file = join(folder.path, "pass");
  const lines = ["# comment", "h1:5432:db:bob:first", "h2:*:*:bob:a\\:b\\\\c", "*:*:*:*:any"];
  writeFileSync(file, lines.join("\n"), { mode: 0o600 });
  const { password, hosts } = postgresTarget("postgres://bob@h1,h2:99,h3/db", { PGPASSFILE: file });
  assert.deepEqual(hosts.map(password), ["first", "a:b\\c", "any"]);
  const named = postgresTarget(`postgres://bob@h1/db?passfile=${encodeURIComponent(file)}`, {});
  assert.equal(named.password(named.hosts[0]), "first");
  if (process.platform === "win32") return;
  chmodSync(file, 0o640);
  const message = `Cannot use the passwords in ${file}: others may read it; do chmod 600 ${file}`;
  assert.throws(() => password(hosts[0]), { name: "UsageError", message });
});

test("postgres url: what is none is refused with a sentence, and never with the password", () => {
  const cases: [string, RegExp][] = [
    ["mysql://u:geheim@h/db", /it is no URL like postgres:/],
    ["postgres://u:geheim@h", /it names no database: end it with \/DATABASE/],
    ["postgres://u:geheim@h:99999/db", /"h:99999" is no HOST or HOST:PORT/],
    ["postgres://u:geheim@h,,i/db", /"" is no HOST/],
    ["postgres://u:geheim%@h/db", /a "%" in it is not followed by two/],
    ["postgres://u:geheim@h/db?sslmode=on", /its sslmode is "on", it must be one of disable, /],
    ["postgres://u:geheim@h/db?options=x", /"options" is not one of its options \(sslmode, /],
    [
      "postgres://u:geheim@h/db?sslmode=verify-full&sslrootcert=/none",
      /certificates in \/none: name/,
    ],
  ];
  for (const [url, wanted] of cases) {
    assert.throws(() => postgresLog({ url, group: "g" }), (error) => {
      assert.ok(error instanceof UsageError, url);
      assert.match(error.message, wanted);
      return !error.message.includes("geheim");
    });
  }
});

/** Why a log cannot be used. */
async function refusal(url: string, singleCopy = true): Promise<Error> {
  const log = postgresLog({ url, group: "Lab", singleCopy });
  try {
    await powerOf(log, "share").lease();
    throw new Error("It can be used");
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  } finally {
    await log.close();
  }
}

test("postgres log: who cannot use a database is told why, and what to do", { skip }, async () => {
  const { url, password, nodes: [node] } = await cluster();
  await node.query("CREATE ROLE other LOGIN PASSWORD 'theirs'");
  await node.query("CREATE DATABASE theirs");
  await node.query(
    "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
  );
  const closed = await freePort();
  const cases: [string, RegExp][] = [
    [url.replace(node.address, `127.0.0.1:${closed}`), /refuses connections; see whether it runs/],
    [
      url.replace(password, "geheim"),
      /refuses the password; give the right one in the URL, in PGPA/,
    ],
    [url.replace(/zgroup$/, "none"), /has no such database; make it with CREATE DATABASE/],
    [url.replace("zgroup:", "nobody:"), /refuses the password/],
    [url.replace(/zgroup$/, "theirs"), /may not make the schema zgroup; give it CREATE on/],
    [url.replace(/zgroup$/, "latin"), /has the encoding LATIN1; make the database with ENCODING/],
    [url.replace(node.host, "no.such.host.invalid"), /is a name that nobody knows/],
    [`${url}?sslmode=require`, /has no TLS, which sslmode=require asks for/],
  ];
  for (const [wrong, wanted] of cases) {
    const error = await refusal(wrong);
    assert.ok(error instanceof LogAway, String(error));
    assert.match(error.message, wanted);
    const told = [error.message, String(error.cause), JSON.stringify(error)].join();
    assert.ok(![password, "geheim", "theirs@"].some((secret) => told.includes(secret)), told);
  }
});

test("postgres log: what would lose an acknowledgement is refused, one copy or not", {
  skip,
}, async () => {
  const { url, nodes: [node] } = await cluster();
  const cases: [string, string, "always" | "unless one copy"][] = [
    ["fsync", "off", "always"],
    ["full_page_writes", "off", "always"],
    ["synchronous_commit", "off", "always"],
    ["synchronous_commit", "local", "unless one copy"],
    ["synchronous_commit", "remote_write", "unless one copy"],
    ["synchronous_standby_names", "", "unless one copy"],
  ];
  for (const [name, value, when] of cases) {
    await node.conf(name, value);
    for (const singleCopy of [false, true]) {
      const error = await refusal(url, singleCopy);
      const wanted = singleCopy && when !== "always"
        ? /It can be used/
        : new RegExp(`${name}.*; set`);
      assert.match(error.message, wanted, `${name} = ${value}, single copy: ${singleCopy}`);
      if (error.message !== "It can be used") assert.ok(error instanceof LogUnsafe);
    }
    await node.conf(name, undefined);
  }
  await node.query("ALTER ROLE zgroup SET synchronous_commit = off");
  assert.match((await refusal(url)).message, /synchronous_commit = off/);
  await node.query("ALTER ROLE zgroup RESET synchronous_commit");
  assert.match((await refusal(url)).message, /It can be used/);
});

test("postgres log: a schema of a newer version is left alone", { skip }, async () => {
  const { url, nodes: [node] } = await cluster();
  assert.match((await refusal(url)).message, /It can be used/);
  await node.query("UPDATE zgroup.version SET version = 99", "zgroup");
  try {
    const error = await refusal(url);
    assert.equal(error.name, "FolderUnusable");
    assert.match(error.message, /its format is 99, .* use a newer one/);
  } finally {
    await node.query("UPDATE zgroup.version SET version = 1", "zgroup");
  }
});

test("postgres log: TLS is what sslmode says", { skip }, async () => {
  const { url, nodes: [node] } = await cluster();
  await using folder = new Folder();
  const [ours, others] = ["ours", "others"].map((name) => certificate(node, folder.path, name));
  await node.conf("ssl_cert_file", "ours.crt");
  await node.conf("ssl_key_file", "ours.key");
  await node.conf("ssl", "on");
  const encrypted =
    "SELECT count(*)::int AS n FROM pg_stat_ssl s JOIN pg_stat_activity USING (pid) " +
    "WHERE ssl AND usename = 'zgroup'";
  const root = (file: string) => `sslrootcert=${encodeURIComponent(file)}`;
  const byName = url.replace(node.host, "localhost");
  const cases: [string, RegExp | number][] = [
    [`${url}?sslmode=disable`, 0],
    [`${url}?sslmode=prefer`, 1],
    [`${url}?sslmode=require`, 1],
    [`${url}?sslmode=require&${root(others)}`, /cannot be used: /],
    [`${url}?sslmode=verify-ca&${root(ours)}`, 1],
    [`${url}?sslmode=verify-ca&${root(others)}`, /cannot be used: /],
    [`${byName}?sslmode=verify-full&${root(ours)}`, 1],
    [`${url}?sslmode=verify-full&${root(ours)}`, /cannot be used: /],
    [`${byName}?sslmode=verify-full&${root(others)}`, /cannot be used: /],
    [`${byName}?sslmode=verify-full&sslrootcert=system`, /cannot be used: /],
  ];
  try {
    for (const [wanted, outcome] of cases) {
      const log = postgresLog({ url: wanted, group: "Lab", singleCopy: true });
      const shown = wanted.replace(/:[0-9a-f]{32}@/, ":*@");
      try {
        const share = powerOf(log, "share");
        if (typeof outcome === "number") {
          await share.lease();
          const [{ n }] = await node.query(encrypted);
          assert.equal(n, outcome, shown);
        } else {
          await assert.rejects(share.lease(), outcome, shown);
        }
      } finally {
        await log.close();
      }
    }
  } finally {
    await node.conf("ssl", "off");
  }
});

/** A certificate that signs itself, for `localhost`; the path of it, with its key beside. */
function certificate(node: PostgresNode, folder: string, name: string): string {
  const [key, crt] = ["key", "crt"].map((ending) => join(folder, `${name}.${ending}`));
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...kind, ...subject, "-keyout", key, "-out", crt], {
    stdio: "ignore",
  });
  for (const file of [key, crt]) node.give(file);
  return crt;
}
