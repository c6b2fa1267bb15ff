/** What the tests of several servers share: servers of one group, over one PostgreSQL. */

import { test } from "node:test";
import { connect, type User } from "../../mod.ts";
import { Folder } from "../support/folder.ts";
import { Group, type GroupServer } from "../support/inside.ts";
import { postgresGroups } from "../../lib/log/postgres_groups.ts";
import { parseGroupFile } from "../../lib/run/group_folder.ts";
import { closing } from "../support.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import type { Keep } from "./live_world.ts";

/** Several servers of the group "Lab", and what they log. */
export interface World {
  readonly servers: readonly GroupServer[];
  readonly lines: readonly string[][];
  /** Of the database. */
  readonly url: string;
  /** One more server of the group. */
  server(more?: Partial<Parameters<typeof Group.start>[0]>): Promise<GroupServer>;
  /** The group's own key, as the database keeps it. */
  secretKey(): Promise<string>;
  /** The user who may do all, who joined at the first. */
  founder(): Promise<User>;
  /** A fresh user who joined at a server. */
  member(name: string, at: GroupServer): Promise<User>;
  readonly keep: Keep;
}

const skip = availablePostgres() ?? false;

/** One node for all tests here, each of which has a group of its own in it. */
let cluster: Promise<PostgresCluster> | undefined;
let made = 0;

/** A test with several servers of a group of its own. */
export function servers(
  criterion: string,
  count: number,
  body: (world: World) => Promise<void>,
): void {
  test(`servers: ${criterion}`, { skip }, async () => {
    const { url } = await (cluster ??= PostgresCluster.start());
    await closing(async (keep) => {
      const name = `Lab ${++made}`;
      const running: GroupServer[] = [];
      const lines: string[][] = [];
      const server = async (more = {}) => {
        const own: string[] = [];
        const log = {
          info: (text: string) => void own.push(text),
          warn: (text: string) => void own.push(text),
          close: () => Promise.resolve(),
        };
        const options = { name, database: url, singleCopy: true, unlisted: true, log };
        const one = keep(await Group.start({ ...options, ...more }));
        running.push(one);
        lines.push(own);
        return one;
      };
      const { path: home } = keep(new Folder());
      const founder = async () => {
        const user = keep(await connect({ name: "fay", home, registries: [] }));
        await user.join(running[0].address);
        return user;
      };
      // The user of the home where a group is made is its founder.
      for (let i = 0; i < count; i++) await server(i === 0 ? { home } : {});
      const member = async (name: string, { address }: GroupServer) => {
        const user = keep(await connect({ name, registries: [] }));
        await user.join(address);
        return user;
      };
      const secretKey = async () => {
        const groups = postgresGroups({ url, singleCopy: true });
        try {
          return parseGroupFile((await groups.identity(name))!.text).secretKey;
        } finally {
          groups.close();
        }
      };
      await body({ servers: running, lines, url, server, secretKey, founder, member, keep });
    });
  });
}

/** The name of the only group of a user. */
export function lab(user: User): string {
  return user.joined()[0].name;
}

test.after(async () => {
  await (await cluster)?.close();
});
