import type { TenantSetUp } from "./set-up-tenant";

/** A set-up that can be waited for, whoever asked for it and hung up since. */
export interface TrackedSetUp extends TenantSetUp {
  /** Resolves when all that have begun have ended. */
  readonly ended: () => Promise<void>;
}

/** Keeps count of the set-ups that run. */
export function tracked(setUp: TenantSetUp): TrackedSetUp {
  const running = new Set<Promise<unknown>>();
  const counted: TenantSetUp = (request, log) => {
    const work = setUp(request, log);
    running.add(work);
    void work.catch(() => undefined).finally(() => running.delete(work));
    return work;
  };
  return Object.assign(counted, {
    ended: async () => {
      await Promise.allSettled(running);
    },
  });
}
