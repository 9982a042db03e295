import { durationOf } from "../measure/phases";
import { inARow, timed } from "../measure/samples";
import { ratio, side, type Group, type Row } from "../context/row";
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
  async measure(context) {
    context.progress(`${TENANTS} tenants in one stack: up`);
    const databaseUrl = await context.databases.migrated("stack");
    const stack = await stackOf(TENANTS, context.folder("stack"), context.engine.pulumi, {
      ...context.cliEnvironment("stack-state", databaseUrl),
      // As docs/performance.md advises for a stack of many tenants.
      PULUMI_EXPERIMENTAL: "true",
      PULUMI_SKIP_CHECKPOINTS: "true",
    });
    const forEach = async (...args: string[]) => (await timed(() => stack.run(...args))) / TENANTS;
    const floors = await inARow(10, context.floor);
    const ups = [await forEach("up", "--yes", "--skip-preview")];
    floors.push(...(await inARow(10, context.floor)));
    context.progress(`${TENANTS} tenants in one stack: preview`);
    const previews = await inARow(2, () => forEach("preview", "--expect-no-changes"));
    floors.push(...(await inARow(10, context.floor)));
    const floor = side(floors.map(durationOf));
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
