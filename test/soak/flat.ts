import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { startedBy } from "../support/killable-service";
import type { Check } from "./check";

/** What an instance holds while it has nothing to do. Memory is resident, in MB. */
export interface Held {
  /** Of the service's own process. */
  readonly memory: number;
  /** Of the service and all that it started. What processes share counts for each. */
  readonly tree: number;
  /** Open files and connections of the service's own process. */
  readonly handles: number;
}

/** How far each may grow: to so many times what it was, and so much more. */
const bounds = {
  memory: { times: 1.25, more: 32 },
  tree: { times: 1.25, more: 64 },
  handles: { times: 1, more: 16 },
} as const;

const names = {
  memory: ["memory of the service", "MB"],
  tree: ["memory of its process tree", "MB"],
  handles: ["open files of the service", ""],
} as const;

/** How long an idle instance is watched, in ms, and how often. */
const WATCH = 4_000;
const EVERY = 250;

/** The least that an instance held while it was watched: what comes and goes is not a leak. */
export async function heldBy(pid: number): Promise<Held> {
  const seen: Held[] = [];
  for (let left = WATCH; left > 0; left -= EVERY) {
    seen.push(lookAt(pid));
    await delay(EVERY);
  }
  const least = (what: keyof Held) => Math.min(...seen.map((held) => held[what]));
  return { memory: least("memory"), tree: least("tree"), handles: least("handles") };
}

/** Compares what an instance held after its warm-up with what it holds at the end. */
export function checkFlat(name: string, before: Held, after: Held): Check[] {
  return (["memory", "tree", "handles"] as const).map((key) => {
    const { times, more } = bounds[key];
    const most = Math.round(before[key] * times + more);
    const [what, unit] = names[key];
    const seen = `${before[key]} → ${after[key]} ${unit}`.trim();
    const fault = `instance ${name}: ${seen}, at most ${most}`;
    const stated = `${what}, ${name}: ${seen} (at most ${most})`;
    return { what: stated, looked: 1, faults: after[key] <= most ? [] : [fault] };
  });
}

function lookAt(pid: number): Held {
  const tree = [pid, ...startedBy(pid).map((started) => started.pid)];
  return {
    memory: residentOf(pid),
    tree: tree.reduce((sum, each) => sum + residentOf(each), 0),
    handles: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** 0 for a process that has ended since it was found. */
function residentOf(pid: number): number {
  try {
    const [, kilobytes] =
      /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Math.round(Number(kilobytes ?? 0) / 1024);
  } catch {
    return 0;
  }
}
