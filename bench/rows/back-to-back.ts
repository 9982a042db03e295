import { lengthOf } from "../measure/phases";
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

/** As one set-up is answered the next is asked for, so that nothing can be prepared between them. */
export const backToBack: Group = {
  name: "back-to-back",
  rows: [row],
  async measure(ground) {
    const service = await ground.service();
    const floors: number[] = [];
    const requests: number[] = [];
    const rounds = ground.quick ? 1 : 3;
    for (let round = 0; round < rounds; round++) {
      ground.say(`back to back: round ${round + 1} of ${rounds}`);
      await service.idle();
      floors.push(...(await inARow(8, ground.floor)).map(lengthOf));
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
