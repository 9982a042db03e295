import { PackageDependency, PackageParameterization } from "@pulumi/pulumi/proto/plugin_pb";
import { recordOf, textOf, type InstalledPackage } from "./packages";

/**
 * The plugins that the packages need, for the engine to install before the program runs. A package
 * says so in its package.json: `"pulumi": { "resource": true, "name", "version", "server" }`.
 */
export function requiredPlugins(packages: readonly InstalledPackage[]): PackageDependency[] {
  return packages.flatMap(({ name, version, pulumi }) => {
    const plugin = textOf(pulumi.name) || officialName(name);
    const release = textOf(pulumi.version) || version;
    if (pulumi.resource !== true || plugin === "" || release === "") return [];
    const dependency = new PackageDependency();
    dependency.setName(plugin);
    dependency.setKind("resource");
    dependency.setVersion(release.startsWith("v") ? release : `v${release}`);
    dependency.setServer(textOf(pulumi.server));
    dependency.setParameterization(parameterization(pulumi.parameterization));
    return [dependency];
  });
}

/** Only Pulumi's own packages may leave their plugin's name to be guessed. */
function officialName(name: string): string {
  return name.startsWith("@pulumi/") ? name.slice("@pulumi/".length) : "";
}

function parameterization(declared: unknown): PackageParameterization | undefined {
  const { name, version, value } = recordOf(declared);
  if (textOf(name) === "") return undefined;
  const made = new PackageParameterization();
  made.setName(textOf(name));
  made.setVersion(textOf(version));
  made.setValue(textOf(value));
  return made;
}
