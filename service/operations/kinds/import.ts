import { z } from "zod";
import { endImport } from "../../tenants/wanted";
import type { Kind } from "./kind";
import { setup, setupRequest } from "./setup";

/** What `npm run import` asks for: a tenant, and the archive whose rows it gets. */
export const importRequest = setupRequest.extend({
  /** The absolute path of the archive, where whoever runs the operation finds it. */
  importFrom: z.string().min(1),
});

/** A tenant that is made from an archive; its password is in plain text. */
export type ImportRequest = z.infer<typeof importRequest>;

/**
 * Makes a tenant from an archive: a set-up whose fourth step loads rows. It is asked for by the command alone,
 * and no address of the HTTP API takes it: a caller there could name any file of the machine.
 */
export const importTenant: Kind<ImportRequest> = {
  ...setup,
  name: "import",
  title: "the import",
  body: importRequest,
  settle: (query, { tenantId }) => endImport(query, tenantId),
};
