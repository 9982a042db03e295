/**
 * What makes an operation through the engine fast. Each option can be turned off to compare; what each saves
 * is in bench/README.md.
 */
export interface EngineOptions {
  /**
   * The dynamic provider and the postgresql plugin keep running as long as the service does, and engines
   * attach to them. Starting both for each run would cost more than a second of processor time.
   */
  readonly keptProviders: boolean;
  /**
   * How many runs are started ahead, on spare stacks, with a program that waits for its tenant. When a
   * request comes, the CLI has started, derived its key (a million rounds) and configured the providers
   * already. Each such run holds about 150 MB.
   */
  readonly prestartedRuns: number;
  /**
   * How many stacks are made ahead, besides those of prestarted runs: making one starts a CLI and derives a
   * key. Each costs a file in the backend and a row. The default is as many as a burst of requests needs.
   */
  readonly spareStacks: number;
  /**
   * The state is saved at the end of a run instead of before and after each step. A run that is killed
   * then leaves no trace in the state, so this is for resources whose create adopts what is there.
   */
  readonly skipCheckpoints: boolean;
}

/** The defaults: every option on. */
export const fastest: EngineOptions = {
  keptProviders: true,
  prestartedRuns: 2,
  spareStacks: 20,
  skipCheckpoints: true,
};
