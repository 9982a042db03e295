import { barOf, durationOf, type Marks } from "../measure/phases";
import { onceASecond, percentile } from "../measure/samples";
import { timeParts } from "../context/timed-alone";
import { serviceBars } from "../sides/service-phases";
import { ratio, side, type Group, type Row } from "../context/row";
import { latencyOf, type SetUp } from "../sides/service";
import { noteMemory } from "./memory";

const toFloor: Row = {
  name: "p50-to-floor",
  what: "POST to 201, p50, a request a second, against the floor",
  kind: "target",
  must: "at most",
  limit: 2.5,
  unit: "times",
};

const toFloorGoal: Row = { ...toFloor, name: "p50-to-floor-goal", kind: "goal", limit: 1.5 };

const naiveToUs: Row = {
  name: "naive-to-p50",
  what: "the Automation API as its docs show it, against that p50",
  kind: "target",
  must: "at least",
  limit: 10,
  unit: "times",
};

const spread: Row = {
  name: "p95-to-p50",
  what: "p95 against p50, a request a second, over 50",
  kind: "target",
  must: "at most",
  limit: 2,
  unit: "times",
};

const REQUESTS = 50;

/** A request a second to the service, in turns with a floor a second, and with the Automation API. */
export const pace: Group = {
  name: "pace",
  rows: [toFloor, naiveToUs, spread, toFloorGoal],
  async measure(context) {
    const [service, naive] = await Promise.all([context.service(), context.naive()]);
    const floors: Marks[] = [];
    const naives: number[] = [];
    const profiles: Marks[] = [];
    const requests: SetUp[] = [];
    const rounds = context.quick ? 2 : 5;
    await service.idle();
    for (let round = 0; round < rounds; round++) {
      context.progress(`a request a second: round ${round + 1} of ${rounds}`);
      floors.push(...(await onceASecond(4, context.floor)));
      naives.push(await naive.setUp());
      if (!context.quick && round === 0) profiles.push(await naive.profile());
      requests.push(...(await onceASecond(REQUESTS / rounds, service.setUp)));
      await service.idle();
    }
    noteMemory(service);

    const latencies = requests.map(latencyOf);
    const ours = side(latencies);
    const p95 = percentile(latencies, 0.95);
    const floor = side(floors.map(durationOf));
    return {
      results: [
        ratio(toFloor, [
          ["service", ours],
          ["floor", floor],
        ]),
        ratio(naiveToUs, [
          ["naive", side(naives)],
          ["service", ours],
        ]),
        { row: spread, value: p95 / ours.median, sides: { p95: side([p95]), service: ours } },
        ratio(toFloorGoal, [
          ["service", ours],
          ["floor", floor],
        ]),
      ],
      bars: [
        barOf("floor", floors),
        ...(await serviceBars(service, requests)),
        ...(context.quick
          ? []
          : [barOf("naive", profiles), barOf("timed alone", await timeParts(context))]),
      ],
    };
  },
};
