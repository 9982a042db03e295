/** The Pulumi project that all of the service's stacks belong to. */
export const PROJECT = "tenant-service";

/**
 * Whether `public.tenants.owner` names the service: any stack of its project, and a resource with the
 * slug's name. Backends that the CLI keeps by itself call every organization `organization`.
 */
export function isOurs(owner: string, slug: string): boolean {
  const [stack = "", name] = owner.split("::");
  return stack.startsWith(`organization/${PROJECT}/`) && name === slug;
}
