/** The dialects that are served, in the order in which a message is tried. */

import type { Dialect } from "./dialect.ts";
import { DIALECT_002 } from "./seed002.ts";

export const DIALECTS: readonly Dialect[] = [DIALECT_002];
