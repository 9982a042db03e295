import { takeLock } from "../../scripts/lock.cjs";

/** A directory held by this process. It is let go when the process ends, however it ends. */
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
 * Holds `directory` for this process; it is made when it is missing.
 *
 * @throws {InstanceInUseError} when another live process, or this one already, holds it
 */
export async function lockInstance(directory: string): Promise<InstanceLock> {
  const lock = await takeLock(directory, "instance");
  if ("heldBy" in lock) throw new InstanceInUseError(directory, lock.heldBy);
  return lock;
}
