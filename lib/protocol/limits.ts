/** Every limit that both sides of the wire must agree on. PROTOCOL.md lists the same numbers. */

/** First frame of every message of this protocol. */
export const MAGIC = "zg2";
/** Longest JSON of one request, reply or feed frame, bytes. */
export const MAX_FRAME = 1_048_576;
/** Longest frame that carries it sealed, bytes. The transport cuts a peer that sends a longer one. */
export const MAX_PACKET = MAX_FRAME + 64;
/** Longest JSON of one batch as stored, bytes; leaves room for the envelope in one frame. */
export const MAX_BATCH_BYTES = 1_000_000;
/** Most messages in one `send`. */
export const MAX_MESSAGES = 256;
/** Longest text of one message, bytes of UTF-8. */
export const MAX_TEXT = 65_536;
/** Most entries in one `read` reply. */
export const MAX_READ = 1_000;
/**
 * Where a `read` reply stops growing, UTF-16 units of JSON, unless one batch alone is longer. A unit
 * takes at most three bytes, so that the reply fits into one frame whatever the texts hold.
 */
export const READ_UNITS = 327_680;
/** Largest live frame that collects several batches, bytes of JSON. */
export const LIVE_BYTES = 65_536;
/** Most groups in one `list` reply. */
export const MAX_LIST = 1_000;
/** Most members in one `members` reply. */
export const MAX_MEMBERS = 1_000;
/** Most invites in one `invites` reply. */
export const MAX_INVITES_PAGE = 1_000;
/** Most servers of one group. */
export const MAX_SERVERS = 16;
/** How long one request's message ids may lie apart by their own clock, ms. */
export const MID_SPAN = 60_000;
/** How far ahead of the group's clock a message id may be, ms. */
export const MID_AHEAD = 86_400_000;
/** A lease without a renewal for this long is listed as quiet, ms. */
export const QUIET_AFTER = 5_000;
/** A lease without a renewal for this long is dropped, ms. */
export const GONE_AFTER = 30_000;
/** How often a group renews its lease and announces its head, ms. */
export const RENEW_EVERY = 1_000;
/** How long a typing hint lives, ms. */
export const TYPING_FOR = 6_000;
/** A follower that hears nothing of its feed for this long takes it for lost, ms. */
export const FEED_SILENCE = 3_000;
/** How long a member counts as present after it was heard last, ms. */
export const PRESENT_FOR = 15_000;
/** Longest life of a registry record after it was signed, ms. */
export const RECORD_LIFE = 3_600_000;
/** How much the clocks of two machines may differ, ms. */
export const CLOCK_SLACK = 300_000;
/** Latest time of an entry, ms: the end of the year 9999. */
export const MAX_TIME = 253_402_300_799_999;
/** How long a ticket is good, ms: thirty days. */
export const TICKET_LIFE = 2_592_000_000;
