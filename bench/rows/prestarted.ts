import { privateMemory, treeOf, type Process } from "../measure/processes";
import { side, type Group, type Row } from "../context/row";

const row: Row = {
  name: "parked-memory",
  what: "memory of a parked run (private, CLI and program host together)",
  kind: "target",
  must: "at most",
  limit: 200,
  unit: "MB",
};

/** An engine run that an idle service holds ready: `pulumi up`, and the program host above it. */
export const parked: Group = {
  name: "parked",
  rows: [row],
  slow: true,
  async measure(ground) {
    const service = await ground.service();
    await service.idle();
    const tree = treeOf(service.pid);
    const hosts = tree.filter(isUp).flatMap((cli) => hostOf(cli, tree) ?? []);
    if (hosts.length === 0) return { results: [{ row, fault: "no parked run found" }] };
    // With all that it has started: what only it needs is its own.
    const sums = [...new Set(hosts)].map((host) =>
      treeOf(host.pid).reduce((sum, { pid }) => sum + privateMemory(pid), 0),
    );
    const memory = side(sums, "MB");
    return { results: [{ row, value: memory.median, sides: { "parked run": memory } }] };
  },
};

function isUp({ args: [command = "", ...args] }: Process): boolean {
  return /(^|\/)pulumi$/.test(command) && args.includes("up");
}

function hostOf(cli: Process, tree: readonly Process[]): Process | undefined {
  const parent = tree.find(({ pid }) => pid === cli.parent);
  if (parent === undefined) return undefined;
  const isHost = parent.args.some((argument) => argument.endsWith("service/pulumi/host.js"));
  return isHost ? parent : hostOf(parent, tree);
}
