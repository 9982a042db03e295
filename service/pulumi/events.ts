import type { EngineEvent } from "@pulumi/pulumi/automation";
import type { StepEvent } from "./steps";

/** The error messages of an event. Other diagnostics are left out: they may repeat inputs, such as the password's hash. */
export function faultsOf({ diagnosticEvent }: EngineEvent): string[] {
  if (diagnosticEvent?.severity !== "error") return [];
  const message = diagnosticEvent.message.trim();
  if (message === "update failed") return [];
  const step = steps[diagnosticEvent.urn?.split(/[:$]/).at(-3) ?? ""];
  return [step === undefined ? message : `step ${step}: ${message}`];
}

/** The progress of steps that an event reports; none for a refresh, which changes nothing. */
export function stepsOf(event: EngineEvent): StepEvent[] {
  const { resourcePreEvent, resOutputsEvent, resOpFailedEvent } = event;
  const changes = [
    [resourcePreEvent, "running"],
    [resOutputsEvent, "succeeded"],
    [resOpFailedEvent, "failed"],
  ] as const;
  return changes.flatMap(([{ metadata } = {}, status]) => {
    if (metadata === undefined || metadata.op === "refresh") return [];
    const step = steps[metadata.type.split(/[:/]/).at(-1) ?? ""];
    return step === undefined ? [] : [{ tenantId: tenantOf(metadata.urn), step, status }];
  });
}

/** The id of the tenant of which the event says that a resource is being deleted; undefined for other events. */
export function deletedOf({ resourcePreEvent }: EngineEvent): string | undefined {
  const { op, urn } = resourcePreEvent?.metadata ?? {};
  return op === "delete" ? tenantOf(urn ?? "") : undefined;
}

/** The service names each tenant's resources by its id. */
const tenantOf = (urn: string) => urn.split("::").at(-1) ?? "";

/** The last part of a resource's type → its step. */
const steps: Partial<Record<string, StepEvent["step"]>> = {
  Record: "record",
  AdminUser: "admin",
  Schema: "schema",
  Migrations: "migrations",
  Membership: "membership",
};

/** The CLI's reason for its failure, from its output, for failures that no event explains. At most 1,000 characters. */
export function lastWords(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  const reasons = lines.filter((line) => line.startsWith("error:"));
  const ending = lines.find((line) => line.startsWith(" stderr:")) ?? lines[0] ?? "";
  return (
    reasons.length > 0 ? [...new Set(reasons)].join(" ") : ending.replace(" stderr: ", "")
  ).slice(0, 1_000);
}
