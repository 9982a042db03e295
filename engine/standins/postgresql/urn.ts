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
