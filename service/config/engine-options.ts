/**
 * By what a set-up through the engine is fast. Each way can be turned off, to compare: what it saves is
 * in bench/README.md.
 */
export interface EngineOptions {
  /**
   * The dynamic provider and the postgresql plugin run for as long as the service does, and engines
   * attach to them: starting both costs each run more than a second of processor time.
   */
  readonly keptProviders: boolean;
  /**
   * How many runs are started ahead, on spare stacks, with a program that waits for its tenant: the
   * CLI's start, its key derivation (a million rounds) and the providers' configuration are over when
   * a request comes. Each holds about 150 MB.
   */
  readonly prestartedRuns: number;
  /**
   * How many stacks are made ahead, besides those that are prestarted: making one starts a CLI, and derives
   * a key. Each is a file in the backend and a row, and so many are a burst.
   */
  readonly spareStacks: number;
  /**
   * The state is saved at the end of a run instead of before and after each step. A run that is killed
   * then leaves no trace in the state, so this is for resources whose create adopts what is there.
   */
  readonly skipCheckpoints: boolean;
}

/** All of them. */
export const fastest: EngineOptions = {
  keptProviders: true,
  prestartedRuns: 2,
  spareStacks: 20,
  skipCheckpoints: true,
};
