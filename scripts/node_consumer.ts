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

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "esnext.disposable", "dom"],
    types: [],
    noEmit: true,
  },
  files: ["consumer.ts"],
};

/** Compiles a strict consumer, with every declaration it reads. @throws {Error} it does not */
export async function checkTypes(folder: string, node: Node, archive: string): Promise<void> {
  mkdirSync(folder);
  write(folder, "package.json", JSON.stringify({ type: "module", private: true }));
  write(folder, "consumer.ts", CONSUMER);
  write(folder, "tsconfig.json", JSON.stringify(TSCONFIG));
  await npmInstall(folder, node, [archive, "typescript@5"]);
  await must([node.path, "node_modules/typescript/bin/tsc", "-p", "."], { cwd: folder });
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
