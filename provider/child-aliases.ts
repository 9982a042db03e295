import * as pulumi from "@pulumi/pulumi";

/** What the SDK keeps of a resource and hides from its types. */
interface Hidden {
  /** The URNs that the option `aliases` names, of this resource itself. */
  readonly __aliases?: readonly pulumi.Input<string>[];
  readonly __parentResource?: pulumi.Resource;
}

/**
 * The aliases for a component's children of the same name: those children as they were before the component,
 * or a parent of it, got another name or parent.
 *
 * The engine gives them to the children by itself, but not where an earlier run was without the alias and
 * failed. That run left the component in the state under its new URN. The engine then finds it there, does not
 * look at its aliases, and takes its children for new ones.
 * https://github.com/pulumi/pulumi/blob/v3.246.0/pkg/resource/deploy/step_generator.go#L692
 */
export function childAliases(component: pulumi.ComponentResource): pulumi.Alias[] {
  return formerUrns(component).map((urn) => ({ parent: urn, name: urn.apply(nameIn) }));
}

/** The URNs that a resource has by its aliases, by those of its parents, and by both together. */
function formerUrns(resource: pulumi.Resource): pulumi.Output<string>[] {
  const { __aliases = [], __parentResource } = resource as Hidden;
  const own = __aliases.map((alias) => pulumi.output(alias));
  if (__parentResource === undefined) return own;
  const names = [
    pulumi.output(pulumi.resourceName(resource)),
    ...own.map((urn) => urn.apply(nameIn)),
  ];
  const type = pulumi.resourceType(resource);
  const inherited = formerUrns(__parentResource).flatMap((parent) =>
    names.map((name) => pulumi.createUrn(name, type, parent)),
  );
  return [...own, ...inherited];
}

function nameIn(urn: string): string {
  return urn.split("::").at(-1) ?? urn;
}
