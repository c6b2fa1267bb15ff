/** What an embedder or a person passed, checked before anything is opened. */

import { UsageError } from "../errors.ts";
import { isIpc, parseAddress, type RegistryAddress, splitRegistry } from "../text/addresses.ts";
import { nameProblem, normalName } from "../text/names.ts";

/** The one spelling of a name. @throws {UsageError} */
export function checkName(name: string): string {
  const normal = normalName(name);
  const problem = nameProblem(normal);
  if (problem) throw new UsageError(`Cannot use the name "${name}": ${problem}`);
  return normal;
}

/** @throws {UsageError} neither `HOST:PORT` nor `ipc:///PATH` */
export function checkAddress(address: string): void {
  if (parseAddress(address) || isIpc(address)) return;
  throw new UsageError(`Cannot use the address "${address}": expected HOST:PORT or ipc:///PATH`);
}

/** @throws {UsageError} not a host by itself */
export function checkHost(host: string): void {
  if (parseAddress(`${host}:1`)) return;
  throw new UsageError(`Cannot advertise "${host}": expected a host, without a port`);
}

/** The parts of a registry's address. @throws {UsageError} */
export function checkRegistry(address: string): RegistryAddress {
  const registry = splitRegistry(address);
  if (registry) return registry;
  throw new UsageError(
    `Cannot use the registry "${address}": expected HOST:PORT, or HOST:PORT#KEY with its key`,
  );
}
