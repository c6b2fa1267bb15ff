/** A program that uses the package as a library. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Node, npmInstall } from "./node_app.ts";
import { must } from "./run_command.ts";

const CONSUMER = `
import { connect, Group, isRetriable, Refusal, Registry } from "zgroup";
import type { GroupEntry, GroupServer, Listing, Receipt, RegistryServer, User } from "zgroup";

const registry: RegistryServer = await Registry.start({ port: 0 });
const registries: readonly string[] = [registry.address];
const group: GroupServer = await Group.start({ name: "Lab", registries });
const user: User = await connect({ name: "alice", registries });
await user.join("Lab");
const { seq }: Receipt = await user.send("Lab", "hi");
const entries: GroupEntry[] = [];
for await (const entry of user.read("Lab", { after: seq - 1 })) entries.push(entry);
const groups: readonly Listing[] = await user.list();
try {
  await Group.start({ name: "Lab", registries });
} catch (error) {
  if (error instanceof Refusal) console.log(error.code, isRetriable(error));
}
console.log(entries.map(({ text }) => text).join(), groups.map(({ name }) => name).join());
await user.close();
await group.close();
await registry.close();
`;

/** What types alone decide: an entry is narrowed by its kind, and each option has its name. */
const TYPED = `
import type { GroupEntry, Listing, SendOptions, User } from "zgroup";

export function told(entry: GroupEntry): string {
  if (entry.kind === "message") return entry.text + entry.mid;
  const none: undefined = entry.text;
  switch (entry.kind) {
    case "rename":
      return entry.body.before + entry.name;
    case "join":
      return entry.body.role;
    case "mute":
      return entry.body.user + entry.body.until.toFixed();
    case "other":
      return entry.what + entry.body["anything"];
    default:
      return entry.kind + String(none);
  }
}

export async function lines(user: User): Promise<string[]> {
  const options: SendOptions = { within: 1_000, mid: "0199f2e4-7a10-7c3e-9b52-8d6f0a1b2c3d" };
  await user.send("Lab", "hi", options);
  // @ts-expect-error There is no such option.
  await user.send("Lab", "hi", { withn: 1_000 });
  const groups: readonly Listing[] = await user.list({ prefix: "L" });
  const { hash }: { hash: string } = await user.fingerprint("Lab", { at: 1 });
  const texts: string[] = [hash, ...groups.map(({ name }) => name)];
  for await (const { kind, text } of user.read("Lab")) if (kind === "message") texts.push(text);
  return texts;
}

export async function closing(user: User): Promise<void> {
  const disposable: { [Symbol.asyncDispose](): PromiseLike<void> } = user;
  await disposable[Symbol.asyncDispose]();
}
`;

/** Settings that decide which declarations are read, and with which of TypeScript's own. */
const SETTINGS = ["es2022", "esnext"].flatMap((target) => [
  { target, module: "node16", moduleResolution: "node16" },
  { target, module: "esnext", moduleResolution: "bundler" },
]);
const STRICT = {
  strict: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
  types: [],
  noEmit: true,
};

/**
 * Compiles a strict consumer under each of the settings, with every declaration that it reads; what
 * they are.
 *
 * @throws {Error} it does not compile
 */
export async function checkTypes(
  folder: string,
  node: Node,
  archive: string,
): Promise<readonly string[]> {
  mkdirSync(folder);
  write(folder, "package.json", JSON.stringify({ type: "module", private: true }));
  write(folder, "consumer.ts", CONSUMER);
  write(folder, "typed.ts", TYPED);
  await npmInstall(folder, node, [archive, "typescript@5"]);
  return await Promise.all(SETTINGS.map(async (settings) => {
    const name = `${settings.target} with ${settings.moduleResolution}`;
    const config = `${name.replaceAll(" ", "_")}.json`;
    const files = ["consumer.ts", "typed.ts"];
    write(folder, config, JSON.stringify({ compilerOptions: { ...STRICT, ...settings }, files }));
    const tsc = [node.path, "node_modules/typescript/bin/tsc", "-p", config];
    await must(tsc, { cwd: folder, limit: 120_000 });
    return name;
  }));
}

/** Runs the consumer: it must talk, and end by itself when everything is closed. */
export async function checkConsumer(app: string, node: Node): Promise<void> {
  write(app, "consumer.ts", CONSUMER);
  const command = [node.path, "--experimental-strip-types", "consumer.ts"];
  const said = await must(command, { cwd: app, limit: 20_000 });
  if (said === "name_taken false\nhi Lab\n") return;
  throw new Error(`Cannot use the package as a library on Node ${node.version}: it said\n${said}`);
}

function write(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}
