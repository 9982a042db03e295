import { takeLock } from "../../scripts/lock.cjs";

/** A lock on a directory. It ends with `release()`, or with the process, however that ends. */
export interface InstanceLock {
  release(): Promise<void>;
}

/** Another live process holds the directory. */
export class InstanceInUseError extends Error {
  override readonly name = "InstanceInUseError";

  constructor(
    /** The directory that is in use. */
    readonly directory: string,
    /** The process that uses it, when it could say so. */
    readonly pid: number | undefined,
  ) {
    const who = pid === undefined ? "" : ` (process ${pid})`;
    super(`${directory} is in use by another instance${who}`);
  }
}

/**
 * Locks `directory` for this process. The directory is made when it is missing.
 *
 * @throws {InstanceInUseError} when another live process, or this one already, holds it
 */
export async function lockInstance(directory: string): Promise<InstanceLock> {
  const lock = await takeLock(directory, "instance");
  if ("heldBy" in lock) throw new InstanceInUseError(directory, lock.heldBy);
  return lock;
}
