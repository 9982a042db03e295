import { execFileSync } from "node:child_process";
import path from "node:path";

/** What dependency-cruiser prints as JSON, as far as it is read here. */
interface Cruise {
  readonly modules: readonly {
    readonly source: string;
    readonly dependencies: readonly { readonly resolved: string }[];
  }[];
}

/** Folder → the folders that it imports from. */
type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

/** The folders that are drawn, and those whose own folders are. */
const houses = ["provider", "program", "fleet", "service", "engine"];
const opened = ["service", "fleet", "provider", "engine"];

/** Pictures of which folder imports from which, in Mermaid, from the imports that there are. */
export function architecture(checkout: string): string {
  const cruise = cruiseImports(checkout);
  const pictures = [
    picture(
      "The whole",
      arrowsBetween(cruise, (file) => file.split("/")[0]),
    ),
    ...opened.map((house) => picture(`Inside ${house}/`, arrowsBetween(cruise, roomOf(house)))),
  ];
  return pictures.join("\n\n");
}

function cruiseImports(checkout: string): Cruise {
  const cli = path.join(checkout, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const only = `^(${houses.join("|")})/`;
  const options = ["--config", ".dependency-cruiser.cjs", "--output-type", "json"];
  const args = [cli, ...options, "--include-only", only, ...houses];
  const maxBuffer = 64 * 1024 * 1024;
  const printed = execFileSync(process.execPath, args, {
    cwd: checkout,
    encoding: "utf8",
    maxBuffer,
  });
  return JSON.parse(printed) as Cruise;
}

/** A file's folder within a house; its name where it is in none; undefined for files elsewhere. */
function roomOf(house: string): (file: string) => string | undefined {
  return (file) => {
    const [top, room] = file.split("/");
    return top === house ? room?.replace(/\.ts$/, "") : undefined;
  };
}

function arrowsBetween({ modules }: Cruise, room: (file: string) => string | undefined): Arrows {
  const arrows = new Map<string, Set<string>>();
  for (const { source, dependencies } of modules) {
    const from = room(source);
    if (from === undefined) continue;
    const targets = arrows.get(from) ?? new Set();
    arrows.set(from, targets);
    for (const { resolved } of dependencies) {
      const to = room(resolved);
      if (to !== undefined && to !== from) targets.add(to);
    }
  }
  return arrows;
}

function picture(title: string, arrows: Arrows): string {
  const lines = [...arrows].flatMap(([from, targets]) =>
    [...targets].filter((to) => !isRoundabout(arrows, from, to)).map((to) => `  ${from} --> ${to}`),
  );
  return [`### ${title}`, "", "```mermaid", "flowchart TD", ...lines.sort(), "```"].join("\n");
}

/** Whether an arrow's target is reached over another folder too, outside of any circle with the two. */
function isRoundabout(arrows: Arrows, from: string, to: string): boolean {
  const between = [...reachedFrom(arrows, from)].filter((folder) => {
    const ahead = reachedFrom(arrows, folder);
    return ahead.has(to) && !ahead.has(from);
  });
  const beyond = reachedFrom(arrows, to);
  return between.some((folder) => !beyond.has(folder));
}

/** The folders that a folder imports from, directly or over others. */
function reachedFrom(arrows: Arrows, start: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [start];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const next of arrows.get(folder) ?? []) {
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(next);
    }
  }
  return reached;
}
