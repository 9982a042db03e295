import { WARM_UP } from "../context/context";
import { together } from "../measure/samples";
import { side, type Figure, type Group, type Row } from "../context/row";
import { memoryOf, type Service } from "../sides/service";

const own: Row = {
  name: "memory-500",
  what: "the service's resident memory after 500 set-ups, against after 50",
  kind: "target",
  must: "at most",
  limit: 1.15,
  unit: "times",
};

const all: Row = {
  ...own,
  kind: "goal",
  name: "memory-500-all",
  what: "the same, with all processes that it keeps running",
};

interface Note {
  readonly setUps: number;
  readonly own: number;
  readonly all: number;
}

const notes = new WeakMap<Service, Note>();

/** Notes how much memory the service has now, unless that was noted before. The service must be idle. */
export function noteMemory(service: Service): void {
  if (!notes.has(service)) notes.set(service, note(service));
}

/** The set-ups of other rows count; those that are missing to 50 and to 500 are done here, four at once. */
export const memory: Group = {
  name: "memory",
  rows: [own, all],
  slow: true,
  async measure(context) {
    const service = await context.service();
    const fillUp = async (setUps: number) => {
      context.progress(`memory: up to ${setUps} set-ups`);
      await together(Math.max(0, setUps + WARM_UP - service.count()), 4, service.setUp);
      await service.idle();
    };
    await fillUp(50);
    noteMemory(service);
    await fillUp(500);
    const before = notes.get(service) ?? note(service);
    const after = note(service);
    return { results: [grown(own, "own"), grown(all, "all")] };

    function grown(row: Row, part: "own" | "all"): Figure {
      return {
        row,
        value: after[part] / before[part],
        sides: {
          [`after ${before.setUps}`]: side([before[part]], "MB"),
          [`after ${after.setUps}`]: side([after[part]], "MB"),
        },
      };
    }
  },
};

function note(service: Service): Note {
  return { setUps: service.count() - WARM_UP, ...memoryOf(service) };
}
