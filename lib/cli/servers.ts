/**
 * What a screen sees of the servers beside it: a registry, and the groups that were made at it, in
 * a process of their own.
 */

/** A server that runs. */
export interface ServedRegistry {
  readonly address: string;
  /** Public key that it proves. */
  readonly key: string;
}

export interface ServedGroup extends ServedRegistry {
  readonly name: string;
  /** Members who are connected. */
  readonly connected: number;
}

/** The servers of one folder. */
export interface Served {
  readonly folder: string;
  readonly pid: number;
  /** They outlast the program that started them. */
  readonly background: boolean;
  /** ms since 1970. */
  readonly since: number;
  readonly registry?: ServedRegistry;
  readonly groups: readonly ServedGroup[];
  /** Members who are connected to any of the groups. */
  readonly connected: number;
  /** The file of their log lines. */
  readonly log: string;
}

/** What came of the groups that were made here before. */
export interface Revived {
  readonly groups: readonly { readonly name: string; readonly address: string }[];
  /** Why one did not come back, or not where it was, a sentence each. */
  readonly troubles: readonly string[];
}

/** How a group is served. */
export interface HostOptions {
  /** `HOST:PORT`; default a free port, or its former one. */
  readonly address?: string | undefined;
  /** It is brought back by {@linkcode Servers.revive} from now on; default true. */
  readonly keep?: boolean;
  /** Only who is invited may enter. */
  readonly private?: boolean;
  /** Tell no registry of it. */
  readonly unlisted?: boolean;
}

/** The servers of a folder, whoever started them; what is asked of them starts them. */
export interface Servers {
  /** They end with this program. */
  readonly own: boolean;
  /** What runs; undefined where nothing does. `except` is a user who is not counted. */
  look(except?: string): Promise<Served | undefined>;
  /** Serves a registry. @throws {Refusal} `address_taken` */
  registry(address: string): Promise<ServedRegistry>;
  /** Serves a group. @throws {Refusal} `forbidden` it runs already, and lets in others than asked */
  host(name: string, options?: HostOptions): Promise<ServedRegistry>;
  /** Serves the groups again that were made here. */
  revive(): Promise<Revived>;
  /** Serves a group no more, and does not bring it back; false where it is not served here. */
  unhost(name: string): Promise<boolean>;
  /** Lets them outlast this program, and whoever started them. */
  detach(): Promise<void>;
  /** Ends them; resolves when all is closed. False where nothing ran. */
  stop(): Promise<boolean>;
  /** Tells, as a sentence, what ends by itself. */
  onTrouble(tell: (text: string) => void): void;
  /** Ends them if they are this program's own. */
  close(): Promise<void>;
}

/** When servers end: with this program, with another one's terminal, or when they are stopped. */
export type End = "here" | "elsewhere" | "background";

/** When the servers of a folder end. */
export async function endOf(servers: Servers): Promise<End> {
  if (servers.own) return "here";
  return (await servers.look())?.background ? "background" : "elsewhere";
}
