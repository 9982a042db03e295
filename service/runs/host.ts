/** The program host: a process that the pool keeps warm and gives one tenant at a time. */
import { worker, workerEmit } from "workerpool";
import type { TenantDeclaration } from "../../program/stack";
import { pulumiCommand } from "./cli";
import { upTenant } from "./stack";

worker({
  upTenant(tenant: TenantDeclaration) {
    // A run that has begun must not be given to another host.
    workerEmit({ begun: process.pid });
    return upTenant(tenant, (step) => {
      workerEmit({ step });
    });
  },
});

// Ahead of the first run, which finds out by itself when this fails.
pulumiCommand().catch(() => undefined);
