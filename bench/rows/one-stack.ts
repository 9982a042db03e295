import { lengthOf } from "../bars";
import { inARow, timed } from "../measure";
import { ratio, side, type Group, type Row } from "../row";
import { stackOf } from "../sides/cli";

const TENANTS = 100;

const up: Row = {
  name: "stack-of-100-up",
  what: "100 tenants in one stack: `up`, for each tenant, against the floor",
  kind: "target",
  must: "at most",
  limit: 1,
  unit: "times",
};

const preview: Row = {
  name: "stack-of-100-preview",
  what: "the same stack's preview without change, for each tenant, against the floor",
  kind: "target",
  must: "at most",
  limit: 0.35,
  unit: "times",
};

/** The CLI and program/, without the service. */
export const oneStack: Group = {
  name: "one-stack",
  rows: [up, preview],
  async measure(ground) {
    const floors: number[] = [];
    const ups: number[] = [];
    const previews: number[] = [];
    const databaseUrl = await ground.databases.migrated("stack");
    const rounds = ground.quick ? 1 : 2;
    for (let round = 0; round < rounds; round++) {
      ground.say(`${TENANTS} tenants in one stack: round ${round + 1} of ${rounds}`);
      const stack = await stackOf(TENANTS, ground.folder(`stack-${round}`), ground.engine.pulumi, {
        ...ground.cliEnvironment(`stack-${round}-state`, databaseUrl),
        // As the README advises for a stack of many tenants.
        PULUMI_EXPERIMENTAL: "true",
        PULUMI_SKIP_CHECKPOINTS: "true",
      });
      floors.push(...(await inARow(10, ground.floor)).map(lengthOf));
      ups.push((await timed(() => stack.run("up", "--yes", "--skip-preview"))) / TENANTS);
      floors.push(...(await inARow(10, ground.floor)).map(lengthOf));
      previews.push((await timed(() => stack.run("preview", "--expect-no-changes"))) / TENANTS);
    }
    const floor = side(floors);
    return {
      results: [
        ratio(up, [
          ["up, a tenant", side(ups)],
          ["floor", floor],
        ]),
        ratio(preview, [
          ["preview, a tenant", side(previews)],
          ["floor", floor],
        ]),
      ],
    };
  },
};
