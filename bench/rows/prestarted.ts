import { privateMemory, treeOf, type Process } from "../measure/processes";
import { side, type Group, type Row } from "../context/row";

const row: Row = {
  name: "prestarted-memory",
  what: "memory of a pre-started run (private, CLI and program host together)",
  kind: "target",
  must: "at most",
  limit: 200,
  unit: "MB",
};

/** The memory of an engine run that an idle service has started in advance: `pulumi up` and its program host. */
export const prestarted: Group = {
  name: "prestarted",
  rows: [row],
  slow: true,
  async measure(context) {
    const service = await context.service();
    await service.idle();
    const tree = treeOf(service.pid);
    const hosts = tree.filter(isUp).flatMap((cli) => hostOf(cli, tree) ?? []);
    if (hosts.length === 0) return { results: [{ row, problem: "no pre-started run found" }] };
    // The host with all processes below it.
    const sums = [...new Set(hosts)].map((host) =>
      treeOf(host.pid).reduce((sum, { pid }) => sum + privateMemory(pid), 0),
    );
    const memory = side(sums, "MB");
    return { results: [{ row, value: memory.median, sides: { "pre-started run": memory } }] };
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
