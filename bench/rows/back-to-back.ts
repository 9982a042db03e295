import { durationOf } from "../measure/phases";
import { inARow } from "../measure/samples";
import { ratio, side, type Group, type Row } from "../context/row";
import { latencyOf } from "../sides/service";

const row: Row = {
  name: "back-to-back",
  what: "p50 back to back, one at a time, against the floor",
  kind: "target",
  must: "at most",
  limit: 6,
  unit: "times",
};

/** Each request is sent as soon as the last one is answered, so the service has no time to prepare. */
export const backToBack: Group = {
  name: "back-to-back",
  rows: [row],
  async measure(context) {
    const service = await context.service();
    const floors: number[] = [];
    const requests: number[] = [];
    const rounds = context.quick ? 1 : 3;
    for (let round = 0; round < rounds; round++) {
      context.progress(`back to back: round ${round + 1} of ${rounds}`);
      await service.idle();
      floors.push(...(await inARow(8, context.floor)).map(durationOf));
      requests.push(...(await inARow(8, service.setUp)).map(latencyOf));
    }
    return {
      results: [
        ratio(row, [
          ["service", side(requests)],
          ["floor", side(floors)],
        ]),
      ],
    };
  },
};
