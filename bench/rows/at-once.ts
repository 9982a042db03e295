import { timed, together } from "../measure/samples";
import { ratio, side, type Group, type Row } from "../context/row";

const row: Row = {
  name: "four-at-once",
  what: "tenants per second, four at once, against the Automation API four at once",
  kind: "target",
  must: "at least",
  limit: 3.5,
  unit: "times",
};

const WIDTH = 4;

/** Four lanes, in each of which a set-up follows the other. */
export const atOnce: Group = {
  name: "at-once",
  rows: [row],
  async measure(ground) {
    const service = await ground.service();
    const naive = await ground.naive();
    const ours: number[] = [];
    const naives: number[] = [];
    const rounds = ground.quick ? 1 : 2;
    const perSecond = async (count: number, work: () => Promise<unknown>) =>
      (count * 1_000) / (await timed(() => together(count, WIDTH, work)));
    for (let round = 0; round < rounds; round++) {
      ground.say(`four at once: round ${round + 1} of ${rounds}`);
      await service.idle();
      naives.push(await perSecond(WIDTH, naive.setUp));
      ours.push(await perSecond(4 * WIDTH, service.setUp));
    }
    return {
      results: [
        ratio(row, [
          ["service", side(ours, "/s")],
          ["naive", side(naives, "/s")],
        ]),
      ],
    };
  },
};
