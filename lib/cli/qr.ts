/** A text as a QR code of half blocks, for the camera of a phone. */

import { renderUnicodeCompact } from "uqr";

/** Lines of a QR code; dark on light needs no colour. */
export function qrCode(text: string): string {
  return renderUnicodeCompact(text, { ecc: "L", border: 2 });
}
