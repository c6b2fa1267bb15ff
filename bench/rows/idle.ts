/** idle: what registry, group and nats-server take while nobody says anything. */

import { setTimeout as pause } from "node:timers/promises";
import { cpuOver, usage } from "../../tests/support/usage.ts";
import type { Program } from "../programs.ts";
import { limited, once, type Result } from "../results.ts";
import { type Service, type SideName, startSide } from "../servers.ts";
import { openProgram, type Setting, sidesOf } from "../setting.ts";

/** Most of a core while nobody is connected, and with {@linkcode MEMBERS}, per cent. */
const IDLE_LIMIT = 1;
const MEMBERS_LIMIT = 5;
const MEMBERS = 1_000;
/** Most of a group with {@linkcode MEMBERS}, MiB. */
const MEMORY_LIMIT = 100;

/** What one server takes. */
interface Taken {
  readonly cpu: number;
  readonly memory: number;
}

/** A server and, for a group, the registry beside it. */
interface Moment {
  readonly server: Taken;
  readonly registry?: Taken;
}

interface Subject {
  readonly idle: Moment;
  /** With {@linkcode MEMBERS}. */
  readonly crowded: Moment;
}

type Of = (subject: Subject) => number | undefined;

/** See the head of this file. */
export async function* idle(setting: Setting): AsyncGenerator<Result> {
  setting.progress("idle");
  await using stack = new AsyncDisposableStack();
  const services: Service[] = [];
  for (const name of sidesOf(setting).filter((name) => name !== "redis")) {
    services.push(stack.use(await startSide(name, setting.before)));
  }
  const subjects = await observe(setting, services);
  const ours = subjects.get("ours")!;

  const beside = (row: string, unit: string, of: Of) =>
    once(row, unit, Object.fromEntries([...subjects].map(([name, one]) => [name, of(one)])));
  const crowd = "1,000 members";
  const shares: [row: string, limit: number, of: Of][] = [
    ["idle registry CPU", IDLE_LIMIT, ({ idle }) => idle.registry?.cpu],
    ["idle group CPU", IDLE_LIMIT, ({ idle }) => idle.server.cpu],
    [`idle registry CPU, ${crowd}`, MEMBERS_LIMIT, ({ crowded }) => crowded.registry?.cpu],
    [`idle group CPU, ${crowd}`, MEMBERS_LIMIT, ({ crowded }) => crowded.server.cpu],
  ];
  for (const [row, limit, of] of shares) {
    yield limited(row, of(ours)!, "% CPU", limit);
    if (setting.before) yield* beside(row, "% CPU", of).filter(({ peer }) => peer === "before");
  }
  yield* beside("idle group memory", "MiB", ({ idle }) => idle.server.memory);
  const row = `idle group memory, ${crowd}`;
  yield limited(row, ours.crowded.server.memory, "MiB", MEMORY_LIMIT);
  yield* beside(row, "MiB", ({ crowded }) => crowded.server.memory);
  yield* beside("idle registry memory", "MiB", ({ idle }) => idle.registry?.memory);
}

/** Watches servers idle, and then with members who are there and say nothing. */
async function observe(
  setting: Setting,
  services: readonly Service[],
): Promise<Map<SideName, Subject>> {
  const seconds = setting.quick ? 2 : 10;
  const watch = async () => {
    // Whoever has just connected is not idle yet.
    await pause(setting.quick ? 1_000 : 3_000);
    return await Promise.all(services.map(async ({ pid, registry }): Promise<Moment> => {
      const [server, other] = await Promise.all([
        taken(pid, seconds),
        registry ? taken(registry.pid, seconds) : undefined,
      ]);
      return { server, ...(other ? { registry: other } : {}) };
    }));
  };
  const idle = await watch();
  await using stack = new AsyncDisposableStack();
  for (const service of services) {
    const people: Promise<Program> = openProgram(setting, service, "load/people.ts", {
      members: MEMBERS,
    });
    stack.use(await people);
  }
  const crowded = await watch();
  return new Map(
    services.map(({ side }, i) => [side, { idle: idle[i], crowded: crowded[i] }]),
  );
}

async function taken(pid: number, seconds: number): Promise<Taken> {
  return { cpu: await cpuOver(pid, seconds), memory: usage(pid).memory };
}
