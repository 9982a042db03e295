import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { codeOf } from "../system/error-code";

const shape = z.strictObject({ jwtSecret: z.string(), passphrase: z.string() });

/** The secrets of embedded mode, made at random and kept in the data folder for its owner only. */
export type DevelopmentSecrets = z.infer<typeof shape>;

/**
 * Reads the secrets in the data folder; undefined where there are none yet.
 *
 * @throws ZodError or SyntaxError where the file is damaged; Error of the system where it cannot be read.
 */
export function readDevelopmentSecrets(dataDir: string): DevelopmentSecrets | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(fileIn(dataDir), "utf8")));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Reads the secrets in the data folder, and makes them where there are none. @throws as {@link readDevelopmentSecrets}. */
export function developmentSecrets(dataDir: string): DevelopmentSecrets {
  const secrets = readDevelopmentSecrets(dataDir);
  if (secrets !== undefined) return secrets;
  mkdirSync(dataDir, { recursive: true });
  writeOnce(fileIn(dataDir), {
    jwtSecret: randomBytes(48).toString("base64url"),
    passphrase: randomBytes(24).toString("base64url"),
  });
  return developmentSecrets(dataDir);
}

/**
 * Writes a draft and links it to the file's name, which fails where the name exists. So no reader ever sees half
 * a file, and of two starts at once the first one's secrets are used by both.
 */
function writeOnce(file: string, secrets: DevelopmentSecrets): void {
  const draft = `${file}.${randomBytes(4).toString("hex")}`;
  writeFileSync(draft, `${JSON.stringify(secrets)}\n`, { mode: 0o600, flag: "wx" });
  try {
    linkSync(draft, file);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    rmSync(draft);
  }
}

function fileIn(dataDir: string): string {
  return path.join(dataDir, "secrets.json");
}
