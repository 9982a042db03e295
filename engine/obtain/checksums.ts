import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { SetUpError } from "../../scripts/tool.cjs";
import { checkout, type Places } from "./places";

/**
 * The SHA-256 that an archive must have, in hexadecimal: of the project's own list, or of the file that
 * ENGINE_CHECKSUMS names, which has the same form. Undefined where neither has it.
 *
 * @throws {SetUpError} when the file that ENGINE_CHECKSUMS names cannot be read
 */
export function pinnedDigest({ environment }: Places, archive: string): string | undefined {
  const given = environment.ENGINE_CHECKSUMS;
  const files = [join(checkout, "engine", "obtain", "checksums.txt"), ...(given ? [given] : [])];
  const lines = files.flatMap((file) => read(file).split("\n"));
  const parsed = lines.map((line) => /^([\da-f]{64}) [ *](\S+)\s*$/i.exec(line) ?? []);
  return parsed.find(([, , name]) => name === archive)?.[1]?.toLowerCase();
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new SetUpError(
      `ENGINE_CHECKSUMS names ${file}, which cannot be read: correct or unset it`,
    );
  }
}

/** The SHA-256 of a file, in hexadecimal. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
