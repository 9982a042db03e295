import * as pulumi from "@pulumi/pulumi";
import { organization } from "./mocked";
import { valueOf } from "./outputs";

/**
 * Names who declares a tenant: `organization/project/stack::name`, with the types of the tenant's parents
 * before the name where it has any. A tenant that gets another parent without an alias is thus another
 * owner's, and its slug is refused to it. If it were adopted instead, the engine would then end the old
 * resource, and with it the tenant.
 *
 * A promise, as the tenant's own steps use it: an output of the tenant would make each of them wait for
 * the tenant, which is done only when its steps are.
 *
 * @param urn `urn:pulumi:stack::project::types::name`, the types joined by `$`.
 * @throws what the registration of the tenant threw. The steps fail with it then.
 */
export async function ownerOf(urn: pulumi.Output<string>): Promise<string> {
  const stack = [organization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const [types = "", ...name] = ((await valueOf(urn)) ?? "").split("::").slice(2);
  const parents = types.split("$").slice(0, -1);
  return [stack, ...(parents.length > 0 ? [parents.join("$")] : []), ...name].join("::");
}
