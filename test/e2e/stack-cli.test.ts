import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { obtainEngine } from "../../engine/obtain/obtain";
import { engineEnvironment } from "../../service/pulumi/engine-environment";
import { PROJECT } from "../../service/config/project";
import { fastest } from "../../service/config/engine-options";
import { makeWorkDir } from "../../service/pulumi/work-dir";
import { stackCli, type StackCli } from "../../service/pulumi/stack-cli";
import type { Stacks } from "../../service/pulumi/stacks/stacks";
import { fileState, locksIn, postgresState, stacksIn } from "../support/pulumi-state";
import { useServiceDatabase } from "../support/service-database";
import { cleanUpServices, temporaryFolder } from "../support/service-process";

const database = useServiceDatabase({ migrated: false });
afterAll(cleanUpServices);

describe.each(["file", "postgres"])("a stack in a %s:// backend", (kind) => {
  let state: ReturnType<typeof fileState>;
  let cli: StackCli;
  let cwd: string;
  /** Does as `cli` does, but that its CLI is killed when it is to rename a stack. */
  let killed: StackCli;
  /** The names that were lent. */
  const others: string[] = [];
  const withOther: Stacks["withOther"] = (use) => {
    const name = `other-${others.length}`;
    others.push(name);
    return use(name);
  };

  beforeAll(async () => {
    const root = temporaryFolder("stack-cli-");
    mkdirSync(path.join(root, "state"));
    state = kind === "file" ? fileState(path.join(root, "state")) : postgresState(database.url());
    const { pulumi, env: engine } = await obtainEngine(() => undefined);
    const [databaseUrl, backendUrl] = [database.url(), state.url];
    const passphrase = "a passphrase for tests";
    const env = engineEnvironment({
      engine,
      databaseUrl,
      backendUrl,
      passphrase,
      migrationsDir: "/nowhere",
      engineOptions: fastest,
    });
    cwd = makeWorkDir(root);
    const { signal } = new AbortController();
    cli = stackCli({ pulumi, env, cwd, signal });
    const killable = path.join(root, "pulumi");
    const script = `#!/bin/sh\n[ "$2" = rename ] && kill -9 $$\nexec '${pulumi}' "$@"\n`;
    writeFileSync(killable, script, { mode: 0o755 });
    killed = stackCli({ pulumi: killable, env, cwd, signal });
    // Makes the backend's table.
    await cli.make("first");
  });

  /** A lock as the CLI writes it before it makes a stack, and before it removes one. */
  const lock = (stack: string) =>
    state.write(
      `.pulumi/locks/organization/${PROJECT}/${stack}/0b2f7c1e.json`,
      JSON.stringify({ pid: 1, username: "me", hostname: "h", timestamp: "2026-01-01T00:00:00Z" }),
    );

  async function expectOnly(...stacks: string[]): Promise<void> {
    expect(await stacksIn(state)).toEqual(stacks);
    expect(await locksIn(state)).toEqual([]);
    expect(readdirSync(cwd).filter((name) => name.startsWith("Pulumi."))).toEqual(["Pulumi.yaml"]);
  }

  test("is removed with its lock", async () => {
    await cli.make("locked");
    await lock("locked");
    await cli.remove("locked", withOther);
    await expectOnly("first");
  });

  test("that a killed CLI locked and never made leaves no lock", async () => {
    await lock("never-made");
    await cli.remove("never-made", withOther);
    await expectOnly("first");
  });

  test("whose removal was killed is removed, and so is the stack that the removal had made", async () => {
    await lock("removed-twice");
    await expect(killed.remove("removed-twice", withOther)).rejects.toThrow("rename");
    const other = others.at(-1) ?? "";
    expect(await stacksIn(state)).toContain(other);
    await cli.remove(other, withOther);
    await cli.remove("removed-twice", withOther);
    await expectOnly("first");
  });
});
