import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { sql } from "../measure/sql";

/** The stacks of the service's project, below the root of any backend. */
const STACKS = ".pulumi/stacks/tenant-service";

/**
 * Copies the state of a tenant's stack, in a `file://` backend's folder, once for each slug: what the
 * CLI keeps of a stack, under other names.
 *
 * @param stack The name of the stack that is copied.
 */
export function copyFileStates(folder: string, stack: string, slugs: readonly string[]): void {
  for (const part of [STACKS, ".pulumi/history/tenant-service", ".pulumi/backups/tenant-service"]) {
    const directory = path.join(folder, part);
    if (!existsSync(directory)) continue;
    const own = readdirSync(directory).filter((name) => name.split(".")[0] === stack);
    for (const name of own) {
      const source = path.join(directory, name);
      const text = statSync(source).isFile() ? readFileSync(source, "utf8") : undefined;
      for (const slug of slugs) {
        const copy = path.join(directory, name.replace(stack, slug));
        if (text === undefined) cpSync(source, copy, { recursive: true });
        else writeFileSync(copy, text.replaceAll(stack, slug));
      }
    }
  }
}

/**
 * Does the same in a `postgres://` backend, whose rows hold the files.
 *
 * @param backendUrl Its database.
 */
export async function copyPostgresStates(
  backendUrl: string,
  stack: string,
  slugs: readonly string[],
): Promise<void> {
  await sql(
    backendUrl,
    `insert into public.pulumi_state (key, data)
    select replace(key, $1, slug), json_build_object('data', replace(encode(convert_to(
      replace(convert_from(decode(data ->> 'data', 'base64'), 'utf8'), $1, slug), 'utf8'), 'base64'),
      e'\\n', ''))
    from public.pulumi_state, unnest($2::text[]) slug
    where key ~ ('/tenant-service/' || $1 || '[./]')`,
    [stack, slugs],
  );
}

/** The name of a tenant's stack: the service's own record of it, or the slug. */
export async function stackOf(databaseUrl: string, slug: string): Promise<string> {
  const [row] = await sql<{ name: string }>(
    databaseUrl,
    "select stack as name from public.service_tenants where slug = $1",
    [slug],
  );
  return row?.name ?? slug;
}
