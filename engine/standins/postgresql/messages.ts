import {
  CheckFailure,
  CheckResponse,
  DiffResponse,
  PropertyDiff,
} from "@pulumi/pulumi/proto/provider_pb";
import { toStruct, type Failure, type Properties } from "./properties";

/** The answer to a check. */
export function checked(
  inputs: Properties | undefined,
  failures: readonly Failure[],
): CheckResponse {
  const answer = new CheckResponse();
  if (inputs !== undefined) answer.setInputs(toStruct(inputs));
  for (const { property, reason } of failures) {
    const failure = new CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    answer.addFailures(failure);
  }
  return answer;
}

/** The answer to a diff, each changed property with its kind of change. */
export function differing(
  kinds: ReadonlyMap<string, PropertyDiff.Kind>,
  inputdiff: boolean,
): DiffResponse {
  const answer = new DiffResponse();
  const { DIFF_SOME, DIFF_NONE } = DiffResponse.DiffChanges;
  answer.setChanges(kinds.size > 0 ? DIFF_SOME : DIFF_NONE);
  for (const [key, kind] of kinds) {
    const difference = new PropertyDiff();
    difference.setKind(kind);
    difference.setInputdiff(inputdiff);
    answer.addDiffs(key);
    answer.getDetaileddiffMap().set(key, difference);
  }
  return answer;
}

/**
 * The name that a stack's author gave a resource.
 * https://www.pulumi.com/docs/iac/concepts/resources/names/#urns
 */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** A resource's own type, without its parents'. */
export function typeOf(urn: string): string {
  const [, , types = ""] = urn.split("::");
  return types.slice(types.lastIndexOf("$") + 1);
}
