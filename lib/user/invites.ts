/** Letting others become members: invites that are made, looked at and taken back. */

import { Refusal, UsageError } from "../errors.ts";
import { randomToken, sha256 } from "../identity/keys.ts";
import { fieldsProblem } from "../protocol/codec.ts";
import { encodeInvite } from "../protocol/invite.ts";
import { GROUP_OPS } from "../protocol/schema.ts";
import { isIpc } from "../text/addresses.ts";
import type { GroupReply, Link } from "./link.ts";
import { allPages } from "./pages.ts";
import type { Registries } from "./registries.ts";
import type { Invites, InviteTerms, MadeInvite, OpenInvite } from "./types.ts";

/** Fewest digits by which an invite is named. */
const FEWEST = 4;

/** See {@linkcode Invites}. */
export class GroupInvites implements Invites {
  readonly #link: (target: string) => Link;
  readonly #registries: Registries;

  /** @param link the connection to a group that the user is a member of */
  constructor(link: (target: string) => Link, registries: Registries) {
    this.#link = link;
    this.#registries = registries;
  }

  async make(target: string, terms: InviteTerms = {}): Promise<MadeInvite> {
    const link = this.#link(target);
    const { name, address: at } = link.target;
    if (isIpc(at)) {
      const message = `Cannot invite to "${name}": it is reached on its own machine only`;
      throw new Refusal("bad_request", message);
    }
    const { uses = 1, role = "member", for: time } = terms;
    // With a token of our own, so that asking again does not make another.
    const fields = { uses, for: time, role, token: randomToken() };
    const problem = fieldsProblem(GROUP_OPS.invite, fields);
    if (problem) throw new UsageError(`Cannot invite: ${problem}`);
    const { token, expires: until, record } = await link.ask("invite", fields);
    const said = { id: record.id, name, address: record.address, key: "", token, until };
    const { address, key } = this.#registries.all.find(({ key }) => key !== undefined) ?? {};
    const registry = address && key ? `${address}#${key}` : "";
    return {
      id: sha256(token),
      link: encodeInvite({ ...said, registry }),
      short: encodeInvite({ ...said, registry: "" }),
      uses,
      role,
      until,
    };
  }

  async open(target: string): Promise<OpenInvite[]> {
    const link = this.#link(target);
    const { name, address } = link.target;
    const all: OpenInvite[] = [];
    const pages = allPages({
      what: `the list of invites of the group "${name}" at ${address}`,
      wayOut: "tell its owner",
      ask: (after): Promise<GroupReply<"invites">> => link.ask("invites", { after }),
      keys: ({ invites }) => invites.map(({ id }) => id),
    });
    for await (const { invites } of pages) {
      for (const { id, by, name, role, uses, expires: until } of invites) {
        all.push({ id, by, name, role, uses, until });
      }
    }
    return all;
  }

  async revoke(target: string, invite: string): Promise<number> {
    const link = this.#link(target);
    const typed = invite.toLowerCase().replace(/^#/, "");
    const whole = typed === "all" || /^[0-9a-f]{64}$/.test(typed);
    const id = whole ? typed : await this.#find(target, typed);
    return (await link.ask("revoke", { invite: id })).revoked;
  }

  async #find(target: string, typed: string): Promise<string> {
    const named = `an invite of "${this.#link(target).target.name}"`;
    const refuse = (why: string) => {
      throw new Refusal("not_found", `Cannot revoke ${named}: ${why}; invites shows the open ones`);
    };
    if (!/^[0-9a-f]+$/.test(typed) || typed.length < FEWEST) {
      return refuse(`expected at least ${FEWEST} digits of its id, or all`);
    }
    const found = (await this.open(target)).filter(({ id }) => id.startsWith(typed));
    if (found.length === 1) return found[0].id;
    return refuse(found.length === 0 ? `no open one begins with ${typed}` : `several begin so`);
  }
}
