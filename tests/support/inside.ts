/** Servers as `mod.ts` starts them, with what is inside: for tests that look there. */

import { openGroup } from "../../lib/run/open_group.ts";
import { openRegistry } from "../../lib/run/open_registry.ts";

export type { GroupServer } from "../../lib/group/server.ts";
export const Group = { start: openGroup };
export const Registry = { start: openRegistry };
