/** What can be asked of a group: plain values, whoever asks and over whatever wire. */

import type { PlainMessage } from "../dialects/dialect.ts";
import type { GROUP_OPS, GROUP_REPLIES, GroupRequest, ReplyOf } from "../protocol/schema.ts";
import type { Actor } from "./state.ts";

/** What only dialects ask for. */
interface DialectFields {
  /** The newest messages since a time, ascending, as many as fit. */
  readonly history: {
    readonly since: number;
    /** Bytes that a message takes in the reply, which must fit into one frame. */
    measure(message: PlainMessage): number;
  };
}

interface DialectReplies {
  readonly history: { readonly messages: readonly PlainMessage[] };
}

/** Everything that can be asked. */
export type Op = keyof typeof GROUP_OPS | keyof DialectFields;

/** What is drawn for a request when it is asked, since whatever decides it is pure. */
interface Drawn {
  readonly invite: { readonly drawn: string };
}

type Fields<K extends Op> = K extends keyof DialectFields ? DialectFields[K]
  : Omit<Extract<GroupRequest, { op: K }>, "id" | "op">;

/** Who asks, and over what. */
interface Asked<K extends Op> {
  readonly op: K;
  /** Undefined before it is known. */
  readonly actor: Actor | undefined;
  /** Id of the connection. */
  readonly from: string;
  /** Of the request, bytes. */
  readonly size: number;
  /** Another server of the group was asked, and handed it on. */
  readonly handed?: true;
}

/** A checked request of any front. */
export type Request<K extends Op = Op> = { [P in K]: Asked<P> & Fields<P> }[K];

/** One that can be decided: its actor is known, and what it needs of chance was drawn. */
export type Known<K extends Op> =
  & Request<K>
  & { readonly actor: Actor }
  & (K extends keyof Drawn ? Drawn[K] : unknown);

/**
 * What is answered. Ticket and record are added by the server whose keys they need; a page of the log
 * is JSON text, as it is stored.
 */
export type Reply<K extends Op> = K extends keyof DialectReplies ? DialectReplies[K]
  : K extends "read" ? string
  : K extends keyof typeof GROUP_REPLIES
    ? Omit<ReplyOf<typeof GROUP_REPLIES, K>, "record" | "ticket" | "servers">
  : never;
