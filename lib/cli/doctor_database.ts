/** What `doctor --log` says of a database that keeps groups. */

import { counted } from "../text/counted.ts";
import type { DatabaseFound, Finding, HostFound, SharedGroup } from "./program.ts";

type Primary = NonNullable<DatabaseFound["primary"]>;

/** @param isOneEnough whether its groups are content with a database without standbys */
export function aboutDatabase({ hosts, primary }: DatabaseFound, isOneEnough: boolean): Finding[] {
  const findings = hosts.map(aboutHost);
  if (!primary) {
    return [...findings, {
      good: false,
      text: "database: none of its hosts is the primary",
      advice: "promote the standby that has most, or start the primary; groups wait meanwhile",
    }];
  }
  return [
    ...findings,
    ...aboutSettings(primary),
    aboutStandbys(primary, isOneEnough),
    aboutSchema(primary),
    ...primary.groups.map(aboutGroup),
  ];
}

function aboutHost({ address, problem, wayOut, version, isPrimary }: HostFound): Finding {
  const text = `database ${address}: `;
  if (problem === undefined) {
    return {
      good: true,
      text: `${text}PostgreSQL ${version}, ${isPrimary ? "primary" : "standby"}`,
    };
  }
  return {
    good: false,
    text: text + problem,
    advice: wayOut || "start it, or check its address and a firewall between",
  };
}

/** Settings, what they must be, and what happens otherwise. */
const SETTINGS: readonly (readonly [name: string, wanted: readonly string[], why: string])[] = [
  ["fsync", ["on"], "a loss of power takes what was acknowledged"],
  ["full_page_writes", ["on"], "a loss of power can damage what was written before"],
  [
    "synchronous_commit",
    ["on", "remote_apply"],
    "what was acknowledged is on one disk, or on none",
  ],
];

function aboutSettings({ settings }: Primary): Finding[] {
  const found = SETTINGS.map(([name, wanted, why]): Finding => ({
    good: wanted.includes(settings[name]),
    text: `database: ${name} = ${settings[name]}`,
    advice: `${why}: set ${name} = on in postgresql.conf, or ALTER ROLE … SET, and reload`,
  }));
  const checksums = settings.data_checksums === "on";
  return [...found, {
    good: checksums,
    text: `database: data_checksums = ${settings.data_checksums}`,
    advice:
      "damage of a disk is noticed later: stop the servers, run pg_checksums --enable on each",
  }];
}

function aboutStandbys(
  { settings, standbys, inSync, role }: Primary,
  isOneEnough: boolean,
): Finding {
  const names = settings.synchronous_standby_names;
  const text = `database: synchronous_standby_names = "${names}"`;
  if (names === "") {
    return {
      good: isOneEnough,
      text: `${text}, every commit is on one disk only`,
      advice: "set it to ANY 1 (NAME, NAME) and reload; or, where one copy is enough, give " +
        "--single-copy to group.ts and to doctor",
    };
  }
  if (inSync === undefined) {
    return {
      good: standbys > 0,
      text: `${text}, ${counted(standbys, "standby")} connected (which of them are in ` +
        `sync is shown after GRANT pg_read_all_stats TO ${role})`,
      advice: NO_STANDBY,
    };
  }
  return {
    good: inSync > 0,
    text: `${text}, ${inSync} of ${counted(standbys, "standby")} in sync`,
    advice: NO_STANDBY,
  };
}

const NO_STANDBY = "groups accept nothing until a standby follows: start one of them, and look " +
  "whether its application_name is in synchronous_standby_names";

function aboutSchema({ schema, known }: Primary): Finding {
  if (schema === 0) {
    return { good: true, text: "database: no group was kept in it yet" };
  }
  return {
    good: schema <= known,
    text: `database: schema version ${schema}, this program knows ${known}`,
    advice: "a newer zgroup uses it: update this one",
  };
}

function aboutGroup({ name, head, holder, isAlive, moved, isWhole }: SharedGroup): Finding {
  const text = `group "${name}" in the database: `;
  if (!isWhole) {
    return {
      good: false,
      text: `${text}a copy to here has not ended`,
      advice: "let it end, or run it once more",
    };
  }
  if (moved !== undefined) return { good: true, text: `${text}it is kept in ${moved} now` };
  const held = `${text}up to entry ${head.toLocaleString("en-US")}, `;
  if (holder === undefined) return { good: true, text: `${held}no server runs it` };
  return {
    good: isAlive,
    text: `${held}${isAlive ? `held by ${holder}` : `${holder} has it, and does not renew that`}`,
    advice: "start that server again, or another one; it may also be cut off from the database",
  };
}
