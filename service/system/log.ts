import { pino, type Logger } from "pino";
import pretty from "pino-pretty";
import type { Redact } from "./redact";

/**
 * Makes the service's log: a JSON object per line on stdout, or readable lines where stdout is a terminal.
 *
 * Every finished line goes through `redact`, so that no secret is logged by a caller that forgot about it.
 *
 * @param level As LOG_LEVEL names it.
 */
export function createLog(level: string, redact: Redact): Logger {
  const out = process.stdout.isTTY
    ? pretty({ ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss", singleLine: true })
    : pino.destination(1);
  return pino({ level }, { write: (line: string) => void out.write(redact(line)) });
}
