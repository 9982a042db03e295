/** The type of a tenant's component. */
export const tenantType = "pulumi-tenant:index:Tenant";

/**
 * The URN of the tenant that an owner names: the reverse of `ownerOf`.
 *
 * @returns undefined where the text is no owner of that form.
 */
export function urnOf(owner: string): string | undefined {
  const [path = "", ...rest] = owner.split("::");
  const [, project, stack] = path.split("/");
  const name = rest.pop();
  if (project === undefined || stack === undefined || name === undefined) return undefined;
  const types = [...rest, tenantType].join("$");
  return ["urn:pulumi:" + stack, project, types, name].join("::");
}
