import { homedir } from "node:os";
import path from "node:path";
import { z } from "zod";

/** The backends that the CLI manages itself ("DIY"), where all stacks belong to the organization `organization`. */
const kinds = /^(file|s3|gs|azblob|postgres|postgresql):\/\//;

/**
 * A state backend's URL as Pulumi writes it, with the path of a `file://` one made absolute: each
 * engine run has a working folder of its own.
 */
export const backendUrl = z
  .string()
  .refine(
    (url) => kinds.test(url),
    "must start with file://, s3://, gs://, azblob:// or postgres://",
  )
  .refine((url) => !/^file:\/\/(\?|$)/.test(url), "names no folder")
  .transform((url) => (url.startsWith("file://") ? absolute(url) : url));

/** The folder of a `file://` backend, undefined for any other. */
export function stateFolder(url: string): string | undefined {
  return url.startsWith("file://") ? splitFileUrl(url).folder : undefined;
}

// https://www.pulumi.com/docs/iac/concepts/state-and-backends/#local-filesystem: file://~, file://./x
function absolute(url: string): string {
  const { folder, query } = splitFileUrl(url);
  const home = folder.replace(/^~(?=\/|$)/, homedir());
  return `file://${path.resolve(home)}${query}`;
}

function splitFileUrl(url: string): { folder: string; query: string } {
  const [, folder = "", query = ""] = /^file:\/\/([^?]*)(\?.*)?$/.exec(url) ?? [];
  return { folder, query };
}
