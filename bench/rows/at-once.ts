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

/** Four clients at once, each of which begins a set-up as soon as its last one has ended. */
export const atOnce: Group = {
  name: "at-once",
  rows: [row],
  async measure(context) {
    const service = await context.service();
    const naive = await context.naive();
    const ours: number[] = [];
    const naives: number[] = [];
    const rounds = context.quick ? 1 : 2;
    const perSecond = async (count: number, work: () => Promise<unknown>) =>
      (count * 1_000) / (await timed(() => together(count, WIDTH, work)));
    for (let round = 0; round < rounds; round++) {
      context.progress(`four at once: round ${round + 1} of ${rounds}`);
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
