import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { PackageDependency, PackageParameterization } from "@pulumi/pulumi/proto/plugin_pb";

/** An npm package as its package.json describes it. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** What the package declares about its Pulumi plugin, if it declares anything. */
  readonly pulumi: Readonly<Record<string, unknown>>;
}

/** Every package below the directory's node_modules, nested ones included, each once. */
export function installedPackages(directory: string): InstalledPackage[] {
  const found: InstalledPackage[] = [];
  const seen = new Set<string>();
  const visit = (nodeModules: string) => {
    for (const path of packagePaths(nodeModules)) {
      // A "file:" dependency is a link, which may lead to a folder that holds this very link.
      const real = realpath(path);
      if (real === undefined || seen.has(real)) continue;
      seen.add(real);
      const manifest = readManifest(real);
      if (manifest !== undefined) found.push(described(manifest));
      visit(join(real, "node_modules"));
    }
  };
  visit(join(directory, "node_modules"));
  return found;
}

/** The packages that the program's own package.json names, in the versions that are installed. */
export function directDependencies(directory: string): InstalledPackage[] {
  const root = nearest(directory, "package.json");
  const manifest = root === undefined ? undefined : readManifest(root);
  const named = Object.keys({
    ...recordOf(manifest?.dependencies),
    ...recordOf(manifest?.devDependencies),
  });
  return named.flatMap((name) => {
    const home = nearest(directory, join("node_modules", name, "package.json"));
    const installed =
      home === undefined ? undefined : readManifest(join(home, "node_modules", name));
    return installed === undefined ? [] : [described(installed)];
  });
}

/**
 * The plugins that the packages need, which the engine installs before the program runs. A package
 * declares its plugin in its package.json: `"pulumi": { "resource": true, "name", "version", "server" }`.
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

/** The plugin's name where the package gives none, which only Pulumi's own packages may do. */
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

/** The folders in node_modules, and those in its scopes. */
function packagePaths(nodeModules: string): string[] {
  return list(nodeModules).flatMap((name) =>
    name.startsWith("@")
      ? list(join(nodeModules, name)).map((inner) => join(nodeModules, name, inner))
      : [join(nodeModules, name)],
  );
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

function realpath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** The directory, or the closest above it, that holds the file. */
function nearest(directory: string, file: string): string | undefined {
  if (realpath(join(directory, file)) !== undefined) return directory;
  const above = dirname(directory);
  return above === directory ? undefined : nearest(above, file);
}

function readManifest(directory: string): Record<string, unknown> | undefined {
  try {
    return recordOf(JSON.parse(readFileSync(join(directory, "package.json"), "utf8")));
  } catch {
    return undefined;
  }
}

function described(manifest: Record<string, unknown>): InstalledPackage {
  const { name, version, pulumi } = manifest;
  return { name: textOf(name), version: textOf(version), pulumi: recordOf(pulumi) };
}

/** The value when it is an object, or an empty one. */
function recordOf(value: unknown): Record<string, unknown> {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? (value as Record<string, unknown>) : {};
}

/** The value when it is a string, or an empty one. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
