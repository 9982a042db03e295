import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { codeOf } from "../system/error-code";

const shape = z.strictObject({ jwtSecret: z.string(), passphrase: z.string() });

/** The secrets of embedded mode, made at random and kept in the data folder for its owner only. */
export type DevelopmentSecrets = z.infer<typeof shape>;

/** The secrets in the data folder, undefined where there are none yet. */
export function readDevelopmentSecrets(dataDir: string): DevelopmentSecrets | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(fileIn(dataDir), "utf8")));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The secrets in the data folder, made at the first call. */
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

/** The name appears with the whole content behind it, once: another start's secrets win. */
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
