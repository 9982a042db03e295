/**
 * Whether what the engine said tells of a process or a connection that died, or of a database or a
 * disk that cannot work just now: another run may go through. All else will fail again.
 */
export function wasCutOff(faults: readonly string[]): boolean {
  return faults.some((fault) => signs.some((sign) => sign.test(fault)));
}

const signs = [
  // The CLI, as execa tells it; dbmate, as the library does.
  /Command was killed with SIG/,
  /dbmate was ended by SIG/,
  // A plugin that a signal ended while it started: Go gives -1 for the code that it has not.
  /could not read plugin .*: exit status -1\b/,
  // A plugin, as gRPC tells it: in Go, and in Node.
  /code = (Unavailable|Canceled)\b/,
  /\b(14 UNAVAILABLE|1 CANCELLED)\b|cut off from the engine: the SDK does not say how/,
  /error reading from server: (EOF|read)|transport is closing/,
  /plugin .*(exited|crashed|has shut down|did not begin responding)/i,
  // The database, as PostgreSQL, pg, lib/pq and the system tell it.
  /terminating connection|the database system is (starting up|shutting down|in recovery mode)/,
  /is not currently accepting connections/,
  /Connection terminated|Client has encountered a connection error|server closed the connection/,
  /\b(57P0[1-5]|53[0-9A-Z]{3}|08[0-9A-Z]{3})\b/,
  /too many (clients|connections)|remaining connection slots/,
  /\b(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/,
  /connection (refused|reset by peer)|broken pipe|unexpected EOF|driver: bad connection/,
  /timeout expired|i\/o timeout/,
  // The disk that the state is on, as the system tells it.
  /no space left on device|disk quota exceeded|file too large/i,
];
