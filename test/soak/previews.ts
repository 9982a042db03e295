import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { openDatabase } from "../../service/database/database";
import { engineEnvironment } from "../../service/pulumi/engine-environment";
import { fastest } from "../../service/config/engine-options";
import { PROJECT } from "../../service/config/project";
import { wantedWith } from "../../service/tenants/wanted";
import { declarationOf } from "../../service/tenants/wanted-tenant";
import type { Previewed } from "../support/preview-stack";
import { groupBy, type Check } from "./check";
import { PRODUCT_ROLE, type World } from "./world";

/** How many stacks one process previews: each leaves something behind in it. */
const STACKS_OF_A_PROCESS = 30;

/** How long the preview of a stack may take, beside other work. */
const LIMIT_MS = 60_000;

/** That a refresh and an `up` of each stack that a tenant has would change nothing, by the real CLI. */
export async function checkPreviews(world: World, early: AbortSignal): Promise<Check> {
  const { postgres } = world;
  const { query } = openDatabase(postgres.url);
  const rows = await query<{ id: string; stack: string }>(
    "select id, stack from public.service_tenants where stack is not null order by stack",
  );
  const stacks: Stack[] = [];
  for (const [name, [tenant]] of groupBy(rows, (row) => row.stack)) {
    const tenants = (await wantedWith(query, tenant?.id ?? "")).map(declarationOf);
    stacks.push({ name, tenants: JSON.stringify(tenants), url: wayOf(world, name) });
  }
  const batches = [...groupBy(stacks, ({ url }) => url).values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / STACKS_OF_A_PROCESS) }, () =>
      all.splice(0, STACKS_OF_A_PROCESS),
    ),
  );
  const faults: string[] = [];
  let looked = 0;
  const work = async () => {
    // Whoever ends the soak early does not wait for all of them.
    while (!early.aborted) {
      const some = batches.pop();
      if (some === undefined) return;
      looked += some.length;
      faults.push(...(await preview(world, some)));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return { what: "a stack previews without a change", looked, faults };
}

/** A stack, its tenants as JSON, and the URL that the last run of it had. */
interface Stack {
  readonly name: string;
  readonly tenants: string;
  readonly url: string;
}

/** Each instance has a way of its own to the database; its port is among the inputs of the postgresql provider. */
function wayOf({ networks, postgres, backend }: World, stack: string): string {
  const file = path.join(backend.folder, ".pulumi/stacks", PROJECT, `${stack}.json`);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const ways = networks.map((network) => network.through(postgres.url));
  const isLast = (url: string) => new RegExp(`"port": *"?${new URL(url).port}\\b`).test(text);
  return ways.find(isLast) ?? postgres.url;
}

/** @returns a fault for each of the stacks that is not as declared. */
async function preview(
  { env, backend, migrations }: World,
  stacks: readonly Stack[],
): Promise<string[]> {
  const args = stacks.flatMap(({ name, tenants }) => [name, tenants]);
  const databaseUrl = stacks[0]?.url ?? "";
  const child = fork(path.join(__dirname, "../support/preview-stack.js"), args, {
    env: {
      ...engineEnvironment({
        ...{ engine: {}, databaseUrl, backendUrl: backend.url },
        passphrase: env.PULUMI_CONFIG_PASSPHRASE ?? "",
        ...{ engineOptions: fastest, migrationsDir: migrations, productRoles: [PRODUCT_ROLE] },
      }),
      ...{ ...env, DATABASE_URL: databaseUrl },
    },
  });
  const seen = new Set<string>();
  const faults: string[] = [];
  child.on("message", (told: { stack?: string; changes?: Previewed; fault?: string }) => {
    if (told.fault !== undefined) faults.push(told.fault);
    if (told.stack === undefined) return;
    seen.add(told.stack);
    const changed = Object.keys(told.changes ?? {}).filter((change) => change !== "same");
    if (changed.length > 0) faults.push(`${told.stack}: ${JSON.stringify(told.changes)}`);
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), stacks.length * LIMIT_MS);
  // Not its end: a connection by a way that was disturbed may keep it for long.
  await once(child, "disconnect");
  clearTimeout(limit);
  child.kill("SIGKILL");
  const unseen = stacks.map(({ name }) => name).filter((name) => !seen.has(name));
  return unseen.length > 0 ? [...faults, `not previewed: ${unseen.join(", ")}`] : faults;
}
