import { orders } from "./rollout/rollout";

/** What `npm run fleet` says of itself. */
export const help = `Migrates many tenants, by the very code that migrates one.

  npm run fleet -- status        how many tenants have which migrations, and which lack some
  npm run fleet -- plan          which files migrate would apply to how many tenants, with their statements
  npm run fleet -- migrate       brings every tenant to all files, as a rollout
  npm run fleet -- resume [ID]   goes on with a rollout, also beside others who run it (default: the newest)
  npm run fleet -- watch [ID]    shows how far a rollout is
  npm run fleet -- pause [ID]    lets it end what is at work, and take no other tenant
  npm run fleet -- cancel ID     the same for good
  npm run fleet -- rollback --to VERSION --only SLUG,… --yes
                                 undoes what these tenants have that is newer than a version, by the files' own
                                 migrate:down; without --yes it says what would be undone

Which tenants, for status, plan, migrate and rollback:
  --owner OWNER            service (default), all, or the stack that declares them: organization/project/stack
  --only SLUG,…            these alone

How a rollout is done, for migrate; the two timeouts for rollback too:
  --canary N               so many first, alone, and the rest when all of them are well (default: 0)
  --order ORDER            ${orders.join(", ")}: the first are the canaries (default: oldest)
  --on-error WHAT          continue (default), or stop at the first tenant that fails
  --max-failures N         stop when so many have failed
  --lock-timeout TIME      how long a statement waits for each lock (default: 2s)
  --statement-timeout TIME how long it takes (default: 1h)
  --lock-retries N         how often a migration is tried again that did not get a lock (default: 20)

  --concurrency N          tenants at once, at most 8 (default: 8); also for resume
  --migrations DIR         the folder with the migrations (default: TENANT_MIGRATIONS_DIR)
  --json                   JSON instead of text: for a rollout, a line for each thing that happens
  --help                   prints this

It reads DATABASE_URL, or uses the embedded database while npm start runs. It exits with 0 when all is well, with 1
when something was refused or has failed, and with 2 when a rollout was paused or cancelled, or has not ended. Ctrl-C
ends what is at work and leaves the rest for resume.`;
