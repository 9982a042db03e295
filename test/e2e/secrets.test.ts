import { plaintextPassword, tenant, usePulumiProject } from "../support/pulumi";

const project = usePulumiProject("examples/three-tenants", [
  "Pulumi.yaml",
  "package.json",
  "index.js",
]);
const databasePassword = () => new URL(project.env.DATABASE_URL ?? "").password;

describe("secrets", () => {
  it("are in no preview, no output and no log of the engine, however much it logs", async () => {
    await project.configure([tenant("acme")]);
    const talk = ["--diff", "--debug", "-v=11", "--logtostderr", "--logflow"];
    const output =
      (await project.run("preview", ...talk)) + (await project.run("up", "--yes", ...talk));
    expect(output).toContain("RegisterResource");
    expect(output).not.toContain(plaintextPassword);
  });

  it("leave the argon2id hash at most in the state, and no database URL", async () => {
    const state = await project.run("stack", "export", "--show-secrets");
    expect(state).not.toContain(plaintextPassword);
    expect(state).toContain("$argon2id$v=19$m=19456");
    expect(state).not.toContain("postgres://");
    const sealed = await project.run("stack", "export");
    expect(sealed).not.toContain("$argon2id$");
    expect(sealed).not.toContain(databasePassword());
  });

  it("leave no password of the database in the state, even decrypted, when the environment holds it", async () => {
    await project.run("config", "set", "--path", "database.passwordFromEnvironment", "true");
    expect((await project.tryRun("preview")).output).toContain("PGPASSWORD is not");
    project.env.PGPASSWORD = databasePassword();
    await project.run("up", "--yes", "--skip-preview");
    expect(await project.run("stack", "export", "--show-secrets")).not.toContain(
      databasePassword(),
    );
    await project.run("destroy", "--yes", "--skip-preview");
  });

  it("given where they do not belong are refused and not repeated", async () => {
    await project.run("config", "set", "--path", "database.urlEnv", "postgres://me:hunter2@h/db");
    const { code, output } = await project.tryRun("preview");
    expect(code).not.toBe(0);
    expect(output).toContain("database: urlEnv: must be the name of an environment variable");
    expect(output).not.toContain("hunter2");
  });
});
