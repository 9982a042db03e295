import { accessSync, constants, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { endianness } from "node:os";

/** The kernel's lists of TCP sockets. An IPv6 socket can be connected to an IPv4 address. */
const TABLES = { ipv4: "/proc/net/tcp", ipv6: "/proc/net/tcp6" };

/** Whether this system says which user made a connection: Linux does. */
export function canTellUsers(): boolean {
  try {
    accessSync(TABLES.ipv4, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether a process of this user, or of root, made the connection. False when that cannot be told.
 *
 * @param socket The accepted end of a connection to 127.0.0.1.
 */
export function isFromOwnUser({
  remoteAddress,
  remotePort,
  localAddress,
  localPort,
}: Socket): boolean {
  if (!remoteAddress || !remotePort || !localAddress || !localPort) return false;
  const connection: Connection = {
    from: { address: remoteAddress, port: remotePort },
    to: { address: localAddress, port: localPort },
  };
  // The kernel may leave a line out when the list changes while it is read.
  for (let attempt = 0; attempt < 3; attempt++) {
    const user = userOf(connection, read(TABLES.ipv4), read(TABLES.ipv6));
    if (user !== undefined) return user === 0 || user === process.geteuid?.();
  }
  return false;
}

/** A TCP connection over IPv4, by its two ends. */
export interface Connection {
  /** The end that connected. */
  readonly from: { readonly address: string; readonly port: number };
  readonly to: { readonly address: string; readonly port: number };
}

/**
 * The user id of the process that made a connection, by the kernel's lists.
 *
 * Only a socket that is established and has an inode counts: one whose process has closed it already
 * belongs to nobody, and the kernel writes user 0 for it, which is root's.
 * https://docs.kernel.org/networking/proc_net_tcp.html
 *
 * @param ipv4 the text of /proc/net/tcp.
 * @param ipv6 the text of /proc/net/tcp6, where an IPv4 address stands behind ::ffff.
 * @returns undefined when the lists do not tell.
 */
export function userOf({ from, to }: Connection, ipv4: string, ipv6: string): number | undefined {
  return owner(ipv4, hex(from), hex(to)) ?? owner(ipv6, mapped(from), mapped(to));
}

const ESTABLISHED = "01";

function owner(table: string, from: string, to: string): number | undefined {
  for (const line of table.split("\n")) {
    const [, local, remote, state, , , , user, , inode] = line.trim().split(/\s+/);
    if (local !== from || remote !== to || state !== ESTABLISHED) continue;
    return inode === undefined || inode === "0" ? undefined : Number(user);
  }
  return undefined;
}

/** As the kernel writes it: the address as one number of this machine's byte order. */
function hex({ address, port }: Connection["from"]): string {
  const bytes = Buffer.from(address.split(".").map(Number));
  return `${inHostOrder(bytes)}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}

function mapped(end: Connection["from"]): string {
  return `${"0".repeat(16)}${inHostOrder(Buffer.from([0, 0, 0xff, 0xff]))}${hex(end)}`;
}

function inHostOrder(bytes: Buffer): string {
  const ordered = endianness() === "LE" ? bytes.reverse() : bytes;
  return ordered.toString("hex").toUpperCase();
}

function read(table: string): string {
  try {
    return readFileSync(table, "utf8");
  } catch {
    // No IPv6 here, or no Linux.
    return "";
  }
}
