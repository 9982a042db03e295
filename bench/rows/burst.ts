import { inARow, timed, together } from "../measure/samples";
import { ratio, side, type Group, type Row } from "../context/row";

const row: Row = {
  name: "burst-of-20",
  what: "a burst of 20 on an idle service: the last answer, against 20 floors in a row",
  kind: "target",
  must: "at most",
  limit: 4.5,
  unit: "times",
};

const BURST = 20;

/** Twenty requests at the same moment, to a service that had time to prepare. */
export const burst: Group = {
  name: "burst",
  rows: [row],
  async measure(context) {
    const service = await context.service();
    const floors: number[] = [];
    const bursts: number[] = [];
    const rounds = context.quick ? 1 : 2;
    for (let round = 0; round < rounds; round++) {
      context.progress(`burst of ${BURST}: round ${round + 1} of ${rounds}`);
      await service.idle();
      floors.push(await timed(() => inARow(BURST, context.floor)));
      bursts.push(await timed(() => together(BURST, BURST, service.setUp)));
    }
    return {
      results: [
        ratio(row, [
          ["service", side(bursts)],
          ["floor", side(floors)],
        ]),
      ],
    };
  },
};
