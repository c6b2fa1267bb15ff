/** Groups in processes of their own, and whether they answer. */

import { zmqTransport } from "../../../lib/transport/zmq.ts";
import { Requester } from "../../../lib/transport/requester.ts";
import { Child } from "./children.ts";
import { until } from "../../support.ts";

/** What a group is started with; see `OpenGroupOptions`. */
export interface GroupProgram {
  readonly name: string;
  readonly address: string;
  readonly data: string;
  readonly registries: readonly string[];
  readonly plain?: boolean;
  readonly advertise?: string;
}

/** A group program that may be killed and started again at the same address. */
export class GroupProcess implements AsyncDisposable {
  readonly options: GroupProgram;
  readonly env: Readonly<Record<string, string>>;
  address = "";
  live = "";
  door = "";
  child!: Child;

  constructor(options: GroupProgram, env: Readonly<Record<string, string>> = {}) {
    this.options = options;
    this.env = env;
  }

  /** Starts it without waiting for it. */
  spawn(): void {
    const address = this.address || this.options.address;
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
      [, this.address, this.live, this.door] = line.split(" ");
      return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.kill();
  }
}

/** Resolves when a server answers a ping; how long that took, ms. */
export async function answers(address: string, serverKey: string, within: number): Promise<number> {
  const begin = performance.now();
  const transport = zmqTransport();
  await until(
    async () => {
      const security = { serverKey };
      const requester = new Requester({
        transport,
        address,
        what: "the server",
        ...(serverKey ? { security } : {}),
      });
      const answer = await requester.request("ping", {}, 60).then(() => true, () => false);
      await requester.close();
      return answer;
    },
    within,
    `an answer of ${address}`,
  );
  return performance.now() - begin;
}
