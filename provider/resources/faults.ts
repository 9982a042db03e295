import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { ConfigurationError } from "../contract/errors";
import { faultOf } from "../contract/tenant-inputs";
import type { RawInputs } from "./dynamic";

/** What a step of a tenant has of faults. */
export interface FaultsArgs {
  /** What is wrong with the tenant's arguments, each by its author's name: see `faultOf`. */
  faults?: pulumi.Input<readonly string[] | undefined>;
}

interface Diff {
  readonly changes: boolean;
  readonly replaces: string[];
}

/** A life cycle as far as faults change it. `never` stands for inputs, which differ from step to step. */
interface Lifecycle {
  check(
    olds: RawInputs,
    news: RawInputs,
  ): { inputs: RawInputs; failures: pulumi.dynamic.CheckFailure[] };
  diff(id: string, olds: never, news: never): Diff | Promise<Diff>;
  create(inputs: never): Promise<{ id: string; outs: object }>;
  update(id: string, olds: never, news: never): Promise<{ outs: object }>;
}

/**
 * Has a step of a tenant fail when it is applied, and not when it is checked.
 *
 * At the first failure of a check the engine ends the whole run, a preview too: of thirty tenants one fault of
 * one would be told, and the others stay as they are, even with `--continue-on-error`, which is about steps
 * that are applied. So the faults become an input. A preview shows it as a change and hands it to the program,
 * which reports it; an `up` fails in this step alone.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/resource/deploy/step_generator.go (`issueCheckErrors`)
 *
 * The public schema's migrations are no tenant's: their failure is to end the run.
 */
export function failingWhenApplied<T extends Lifecycle>(lifecycle: T): T {
  const lenient: Lifecycle = {
    check(olds, { faults: ofProgram, ...news }) {
      const { inputs, failures } = lifecycle.check(olds, news);
      const faults = [...new Set([...faultsIn({ faults: ofProgram }), ...inWords(failures)])];
      if (faults.length === 0 || news.schemaName === "public") return { inputs, failures };
      // Nothing of a tenant at fault changes, so nothing else is to be shown as a change.
      return { inputs: { ...inputs, ...olds, faults }, failures: [] };
    },

    diff(id, olds, news: RawInputs) {
      // Never a replacement: the engine would delete the old one first, and only then find out.
      if (faultsIn(news).length > 0) return { changes: true, replaces: [] };
      return lifecycle.diff(id, olds, news as never);
    },

    async create(inputs: RawInputs) {
      assertSound(inputs);
      return lifecycle.create(inputs as never);
    },

    async update(id, olds, news: RawInputs) {
      assertSound(news);
      return lifecycle.update(id, olds, news as never);
    },
  };
  return { ...lifecycle, ...lenient };
}

/** One fault for each property that failed. */
function inWords(failures: readonly pulumi.dynamic.CheckFailure[]): string[] {
  const properties = [...new Set(failures.map(({ property }) => property))];
  return properties.map((property) =>
    faultOf(
      property,
      failures.filter((failure) => failure.property === property).map(({ reason }) => reason),
    ),
  );
}

/** The faults among inputs or outputs of a step, not validated yet. */
export function faultsIn({ faults }: RawInputs): string[] {
  return z.array(z.string()).catch([]).parse(faults);
}

/** @throws {@link ConfigurationError} with all faults. */
function assertSound(inputs: RawInputs): void {
  const faults = faultsIn(inputs);
  if (faults.length > 0) throw new ConfigurationError(faults.join("; "));
}
