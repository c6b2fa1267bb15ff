/** idle: what registry, group and nats-server take while nobody says anything. */

import { cpuOver, pause, usage } from "../processes.ts";
import { Program } from "../programs.ts";
import { limited, type Result } from "../results.ts";
import { type GroupService, type Service, startGroup, startNats } from "../servers.ts";
import type { Setting } from "../setting.ts";

/** Most of a core while nobody is connected, and with {@linkcode MEMBERS}, per cent. */
const IDLE_LIMIT = 1;
const MEMBERS_LIMIT = 5;
const MEMBERS = 1_000;

/** What one server takes. */
interface Taken {
  readonly cpu: number;
  readonly memory: number;
}

/** A server and, for ours, the registry beside it. */
interface Moment {
  readonly server: Taken;
  readonly registry?: Taken;
}

interface Subject {
  /** From the start of the process to its ready line, ms. */
  readonly start: number;
  readonly idle: Moment;
  /** With {@linkcode MEMBERS}. */
  readonly crowded: Moment;
}

type Of = (subject: Subject) => number;

/** See the head of this file. */
export async function* idle(setting: Setting): AsyncGenerator<Result> {
  setting.progress("idle");
  await using stack = new AsyncDisposableStack();
  const services: Service[] = [];
  for (const open of [() => startGroup(false), () => startGroup(true), startNats]) {
    if (open === startNats && !setting.peers.includes("nats")) continue;
    services.push(stack.use(await open()));
  }
  const [plain, curve, nats] = await observe(setting, services) as [Subject, Subject, Subject?];

  const cpu = (row: string, limit: number, of: Of, encrypted: number | null = of(curve)) => ({
    ...limited(row, of(plain), "% CPU", limit),
    encrypted,
  });
  yield cpu("idle registry CPU", IDLE_LIMIT, ({ idle }) => idle.registry!.cpu);
  yield cpu("idle group CPU", IDLE_LIMIT, ({ idle }) => idle.server.cpu);
  const crowd = "1,000 members";
  const registry = ({ crowded }: Subject) => crowded.registry!.cpu;
  yield cpu(`idle registry CPU, ${crowd}`, MEMBERS_LIMIT, registry, null);
  yield cpu(`idle group CPU, ${crowd}`, MEMBERS_LIMIT, ({ crowded }) => crowded.server.cpu, null);

  const beside = (row: string, unit: string, of: Of, encrypted: number | null = of(curve)) => {
    const theirs = nats ? of(nats) : null;
    const ratio = theirs === null ? null : theirs / of(plain);
    const peer = nats ? "nats" : null;
    return { row, ours: of(plain), encrypted, peer, theirs, unit, ratio, goal: null };
  };
  yield beside("idle group memory", "MiB", ({ idle }) => idle.server.memory);
  yield beside(`idle group memory, ${crowd}`, "MiB", ({ crowded }) => crowded.server.memory, null);
  yield beside("idle start to ready", "ms", ({ start }) => start);
  const none = { encrypted: null, peer: null, theirs: null, ratio: null, goal: null };
  const ours = plain.idle.registry!.memory;
  yield { ...none, row: "idle registry memory", ours, unit: "MiB" };
}

/** Watches servers idle, and then with members who are there and say nothing. */
async function observe({ quick }: Setting, services: readonly Service[]): Promise<Subject[]> {
  const seconds = quick ? 2 : 10;
  const watch = async () => {
    // Whoever has just connected is not idle yet.
    await pause(quick ? 1_000 : 3_000);
    return await Promise.all(services.map(async (service) => {
      const registry = (service as GroupService).registry?.pid;
      const [server, other] = await Promise.all([
        taken(service.pid, seconds),
        registry === undefined ? undefined : taken(registry, seconds),
      ]);
      return { server, ...(other ? { registry: other } : {}) };
    }));
  };
  const idle = await watch();
  await using stack = new AsyncDisposableStack();
  for (const { side, address } of services) {
    if (side === "zgroup-curve") continue; // Its members would have to encrypt, too.
    const people = stack.use(new Program({ file: "load/people.ts" }));
    await people.ask("connect", { side, address, members: MEMBERS });
  }
  const crowded = await watch();
  return services.map(({ startedIn: start }, i) => ({ start, idle: idle[i], crowded: crowded[i] }));
}

async function taken(pid: number, seconds: number): Promise<Taken> {
  return { cpu: await cpuOver(pid, seconds), memory: usage(pid).memory };
}
