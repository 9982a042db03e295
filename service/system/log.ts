import { pino, type Logger } from "pino";
import pretty from "pino-pretty";
import type { Redact } from "./redact";

/**
 * The service's log: a JSON object a line on stdout, or plain lines where that is a terminal.
 *
 * Every finished line goes through `redact`, so that no call to the log has to think of it.
 */
export function createLog(level: string, redact: Redact): Logger {
  const out = process.stdout.isTTY
    ? pretty({ ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss", singleLine: true })
    : pino.destination(1);
  return pino({ level }, { write: (line: string) => void out.write(redact(line)) });
}
