import { barOf, lengthOf, type Marks } from "../bars";
import { inARow, onceASecond, percentile } from "../measure";
import { timeParts } from "../parts";
import { serviceBars } from "../phases";
import { ratio, side, type Group, type Row } from "../row";
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

const ROUNDS = 5;
const REQUESTS = 10;

/** A request a second, in turns with the floor at the same pace and with the Automation API. */
export const pace: Group = {
  name: "pace",
  rows: [toFloor, naiveToUs, spread, toFloorGoal],
  async measure(ground) {
    const service = await ground.service();
    const naive = await ground.naive();
    const floors: Marks[] = [];
    const naives: number[] = [];
    const profiles: Marks[] = [];
    const requests: SetUp[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ground.say(`a request a second: round ${round + 1} of ${ROUNDS}`);
      floors.push(...(await onceASecond(ground.quick ? 2 : 4, ground.floor)));
      if (!ground.quick || round < 3) naives.push(...(await inARow(1, naive.setUp)));
      if (ground.quick ? round === 3 : round < 3) profiles.push(await naive.profile());
      await service.idle();
      requests.push(...(await onceASecond(REQUESTS, service.setUp)));
      await service.idle();
    }
    noteMemory(service);

    const latencies = requests.map(latencyOf);
    const ours = side(latencies);
    const p95 = percentile(latencies, 0.95);
    const floor = side(floors.map(lengthOf));
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
        barOf("naive", profiles),
        barOf("timed alone", await timeParts(ground)),
      ],
    };
  },
};
