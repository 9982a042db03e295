import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks";

/**
 * Whether the program runs in a unit test, under `pulumi.runtime.setMocks`: there is no engine then, and no
 * provider is asked for anything.
 */
export function isMocked(): boolean {
  return pulumi.runtime.getMonitor() instanceof MockMonitor;
}

/** The stack's organization. A unit test need not name one; it is then the one that a file backend has. */
export function organization(): string {
  try {
    return pulumi.getOrganization();
  } catch (error) {
    if (isMocked()) return "organization";
    throw error;
  }
}
