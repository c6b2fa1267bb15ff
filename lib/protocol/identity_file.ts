/** `export-identity`: who a user is, and whom it knows, as a file for another machine. */

import { FolderUnusable } from "../errors.ts";
import { sha256 } from "../identity/keys.ts";
import {
  isPayable,
  newNonce,
  newStretching,
  openText,
  sealText,
  type Stretching,
} from "../identity/sealing.ts";
import { type IdentityFile, keptProblem, type SealedFile } from "./kept.ts";

const FORMAT = "zgroup identity";
const VERSION = 1;
/** Most that a file holds, bytes: some 20,000 groups. */
export const MAX_IDENTITY_FILE = 8 * 1_048_576;
/** Fewest characters of a passphrase: who has the file may try as many as there is time for. */
const LEAST = 8;
/** Most, so that nobody has to stretch a book. */
const MOST = 1_024;

/** Why a passphrase cannot be used; undefined when it can. */
export function passphraseProblem(passphrase: string): string | undefined {
  if (passphrase.length > MOST) return `it is longer than ${MOST} characters`;
  if ([...passphrase].length < LEAST) return `it is shorter than ${LEAST} characters`;
  return undefined;
}

/** The text of a file that the passphrase opens. */
export async function sealIdentity(identity: IdentityFile, passphrase: string): Promise<string> {
  const head = {
    ...{ format: FORMAT, version: VERSION, cipher: "aes-256-gcm" as const },
    ...{ nonce: newNonce(), scrypt: newStretching() },
  };
  const sealing = sealingOf(head, passphrase);
  const sealed = await sealText(JSON.stringify(identity), sealing);
  return `${JSON.stringify({ ...head, sealed, sum: sumOf(head, sealed) }, null, 2)}\n`;
}

/**
 * The head of a file, which says what opens it.
 *
 * @param what names the file in errors
 * @throws {FolderUnusable} it is none, damaged, of a newer version, or too costly to open
 */
export function readSealed(text: string, what: string): SealedFile {
  const refuse = (why: string) => new FolderUnusable(`Cannot open ${what}: ${why}`);
  let file: SealedFile;
  try {
    file = JSON.parse(text);
  } catch {
    throw refuse("it is no identity file, or damaged; export-identity writes one");
  }
  if (file?.format !== FORMAT) throw refuse("it is no identity file; export-identity writes one");
  if (typeof file.version === "number" && file.version > VERSION) {
    const known = `this version of zgroup knows up to ${VERSION}; use a newer one`;
    throw refuse(`its format is ${file.version}, ${known}`);
  }
  const problem = keptProblem("sealedFile", file) ??
    (file.sum === sumOf(file, file.sealed) ? undefined : "its sum is wrong");
  if (problem !== undefined) throw refuse(`it is damaged (${problem}); copy or export it again`);
  if (!isPayable(file.scrypt)) {
    throw refuse(
      "it asks for more memory or less work than any that was exported; do not trust it",
    );
  }
  return file;
}

/** What was sealed. @throws {FolderUnusable} another passphrase; it is no identity */
export async function openIdentity(
  file: SealedFile,
  passphrase: string,
  what: string,
): Promise<IdentityFile> {
  const text = await openText(file.sealed, sealingOf(file, passphrase));
  if (text === undefined) {
    throw new FolderUnusable(`Cannot open ${what}: the passphrase is another one, try again`);
  }
  const identity = JSON.parse(text);
  const problem = keptProblem("identityFile", identity);
  if (problem === undefined) return identity;
  throw new FolderUnusable(`Cannot open ${what}: it does not hold an identity (${problem})`);
}

type Head = Pick<SealedFile, "format" | "version" | "cipher" | "nonce" | "scrypt">;

function sealingOf(head: Head, passphrase: string) {
  const { nonce, scrypt: stretching } = head;
  return { passphrase, stretching, nonce, head: headText(head) };
}

// Stored: do not change.
function headText({ format, version, cipher, nonce, scrypt }: Head): string {
  const { n, r, p, salt }: Stretching = scrypt;
  return [format, version, cipher, nonce, n, r, p, salt].join("\n");
}

/** Tells damage from another passphrase; against those who mean it the seal holds. */
function sumOf(head: Head, sealed: string): string {
  return sha256(`${headText(head)}\n${sealed}`);
}
