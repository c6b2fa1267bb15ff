/** What to look at first where a server does not answer. Pure. */

import { isOwnOnly, parseAddress } from "../text/addresses.ts";

/** Somebody is there who does not speak as a server of this version does. */
const FOREIGN = /speak this protocol|no answer within .*ECONNRESET/;
/** Nobody listens at that port, and its machine says so. */
const REFUSED = /ECONNREFUSED|^nothing listens there$/;
/** No word came: what a firewall drops is never answered. */
const SILENT = /^no answer within [\d.]+ \w+(?: \(.*(?:TIMEDOUT|UNREACH|in time|handshake).*\))?$/;

/**
 * The likely cause, as a question.
 *
 * @param absent what to do where nothing listens
 */
export function questionOf(
  why: string,
  { address, absent }: { readonly address: string; readonly absent?: string },
): string {
  if (FOREIGN.test(why)) return "is it zgroup, of this version?";
  const endpoint = parseAddress(address);
  const isElsewhere = endpoint !== undefined && !isOwnOnly(endpoint.host);
  if (isElsewhere && SILENT.test(why)) {
    return `is it running, and does its firewall let TCP port ${endpoint.port} in?`;
  }
  return REFUSED.test(why) && absent !== undefined ? absent : "is it running?";
}
