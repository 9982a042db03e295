/** The Pulumi project that all of the service's stacks belong to. */
export const PROJECT = "tenant-service";

/**
 * Who `public.tenants.owner` names for a tenant of the service: its stack and its resource, both of
 * which have the slug's name. Backends that the CLI keeps by itself call every organization
 * `organization`.
 */
export function ownerOf(slug: string): string {
  return `organization/${PROJECT}/${slug}::${slug}`;
}
