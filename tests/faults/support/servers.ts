/** Groups in processes of their own, and whether they answer. */

import { Refusal } from "../../../lib/errors.ts";
import { REGISTRY_REPLIES } from "../../../lib/protocol/schema.ts";
import { SessionClient } from "../../../lib/session/client.ts";
import { zmtpTransport } from "../../../lib/transport/zmtp/engine.ts";
import { Registry } from "../../../mod.ts";
import { until } from "../../support.ts";
import { Child } from "./children.ts";
import type { Fault } from "./fault.ts";

/** What a group is started with; see `OpenGroupOptions`. */
interface GroupProgram {
  readonly name: string;
  /** Default: a free port of 127.0.0.1. */
  readonly address?: string;
  readonly data: string;
  readonly registries: readonly string[];
  readonly plain?: boolean;
  readonly private?: boolean;
  readonly advertise?: string;
  readonly memoryLimit?: number;
  /** How many of the newest entries keep their content; default all. */
  readonly keep?: number;
  /** Default: as many as anybody likes. */
  readonly rate?: number;
}

/** What the peers of a group hold, and what happened to them, by reason. */
export interface AccountsTold {
  readonly connections: number;
  readonly strangers: number;
  readonly held: number;
  readonly most: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** A group program that may be killed and started again at the same address. */
export class GroupProcess implements AsyncDisposable {
  readonly options: GroupProgram;
  readonly env: Readonly<Record<string, string>>;
  address = "";
  child!: Child;

  constructor(options: GroupProgram, env: Readonly<Record<string, string>> = {}) {
    this.options = options;
    this.env = env;
  }

  /** Starts it without waiting for it. */
  spawn(): void {
    const address = this.address || (this.options.address ?? "127.0.0.1:0");
    const options = JSON.stringify({ ...this.options, address });
    this.child = new Child("programs/group.ts", [options], { env: this.env });
  }

  /** Starts it and waits until it listens. */
  async start(): Promise<void> {
    this.spawn();
    await this.up();
  }

  /** Waits until it says that it listens; other lines are passed over. */
  async up(): Promise<void> {
    for (;;) {
      const line = await this.child.line();
      if (!line.startsWith("up ")) continue;
      [, this.address] = line.split(" ");
      return;
    }
  }

  /** What its peers hold now; `pass` gets what it said meanwhile. */
  async accounts(pass?: (line: string) => void): Promise<AccountsTold> {
    return JSON.parse(await this.child.ask("accounts", pass));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.kill();
  }
}

/** A registry in this process, which ends with the fault: what all others are given. */
export async function startRegistry(fault: Fault): Promise<string[]> {
  const registry = await Registry.start({ port: 0 });
  fault.onClose(() => registry.close());
  return [registry.address];
}

/** A group that listens, and ends with the fault if nothing ends it before. */
export async function startGroup(
  fault: Fault,
  options: GroupProgram,
  env?: Readonly<Record<string, string>>,
): Promise<GroupProcess> {
  const group = new GroupProcess(options, env);
  await group.start();
  fault.onClose(() => group.child.kill());
  return group;
}

/** How long a new session may take to be answered, ms: shorter than the pauses between its tries. */
const ANSWERED_WITHIN = 400;

/**
 * Resolves when a group or a registry answers a ping of a stranger; how long that took, ms. That one
 * address asks too much is an answer, too.
 */
export async function answers(address: string, within: number): Promise<number> {
  const begin = performance.now();
  const transport = zmtpTransport();
  const replies = { ping: REGISTRY_REPLIES.ping }; // A group says more, which is not looked at.
  await until(
    async () => {
      const what = "the server";
      const client = new SessionClient({ transport, address, what, replies, check() {} });
      const answer = await client.request("ping", {}, ANSWERED_WITHIN)
        .then(() => true, (error) => error instanceof Refusal);
      await client.close();
      return answer;
    },
    within,
    `an answer of ${address}`,
  );
  return performance.now() - begin;
}
