import { dirname } from "node:path";

import { runTool, SetUpError } from "../../scripts/tool.cjs";

/** An account of the operating system. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account that the server runs as: undefined for that of this process. When this process is root,
 * as whom PostgreSQL refuses to run, it is the account `postgres`, which is made where it is missing.
 *
 * @throws {SetUpError} when the account cannot be made
 */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const account = await accountOf("postgres");
  if (account) return account;
  await runTool("groupadd", ["--system", "postgres"]);
  await runTool("useradd", ["--system", "--gid", "postgres", "postgres"]);
  const made = await accountOf("postgres");
  if (made) return made;
  throw new SetUpError(
    "PostgreSQL does not run as root, and an account `postgres` for it could not be made: " +
      "make one, run as another user, or set DATABASE_URL to a database of your own",
  );
}

async function accountOf(name: string): Promise<Account | undefined> {
  const uid = await runTool("id", ["-u", name]);
  const gid = await runTool("id", ["-g", name]);
  if (!uid.ok || !gid.ok) return undefined;
  return { uid: Number(uid.output[0]), gid: Number(gid.output[0]) };
}

/**
 * Checks that the account can enter a path. In a checkout below `/root`, for one, `postgres` cannot.
 *
 * @throws {SetUpError} that names the directory in the way
 */
export async function checkReachable(path: string, account: Account | undefined): Promise<void> {
  if (!account || (await canReach(path, account))) return;
  for (const directory of ancestors(path)) {
    if (await canReach(directory, account)) continue;
    throw new SetUpError(
      `PostgreSQL runs as \`postgres\` because you are root, and \`postgres\` cannot enter ${directory}: ` +
        `run as another user, move the project, \`chmod o+x ${directory}\`, or set DATABASE_URL`,
    );
  }
}

/** Whether the account may run a file, or enter a directory. */
export async function canReach(path: string, account: Account): Promise<boolean> {
  return (await runTool("test", ["-x", path], { account, cwd: "/" })).ok;
}

/** The directories from the root of the disk down to the path. */
function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestors(parent), path];
}
