import { userOf } from "../../../engine/system/connection-owner";

const columns = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid";

/** As Linux writes it on a machine with this byte order, little endian as most are. */
const line = (local: string, remote: string, state: string, user: number, inode: number) =>
  `   5: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${String(user).padStart(5)}` +
  `        0 ${inode} 2 000000005eaa4a0b 20 0 0 10 -1`;

const from = { address: "127.0.0.1", port: 0x8864 };
const to = { address: "127.0.0.1", port: 0x8e87 };
const client = "0100007F:8864";
const server = "0100007F:8E87";
const behind = (end: string) => `0000000000000000FFFF0000${end}`;
const table = (...lines: string[]) => [columns, ...lines, ""].join("\n");

const userIn = (ipv4: string, ipv6 = table()) => userOf({ from, to }, ipv4, ipv6);

test("the owner of the end that connected is told, not that of the one that listens", () => {
  const lines = [
    line(server, "00000000:0000", "0A", 1000, 1),
    line(server, client, "01", 1000, 2),
    line(client, "0100007F:0016", "01", 1001, 3),
    line(client, server, "01", 1002, 4),
  ];
  expect(userIn(table(...lines))).toBe(1002);
});

test("so is that of an IPv6 socket which connected to an IPv4 address", () => {
  expect(userIn(table(), table(line(behind(client), behind(server), "01", 1002, 4)))).toBe(1002);
});

test.each([
  ["has closed it already, which the kernel lists as user 0", "05", 0],
  ["is waited for no longer", "06", 0],
  ["has an established connection without a process", "01", 0],
])("nobody is told when whoever connected %s", (_, state, inode) => {
  expect(userIn(table(line(client, server, state, 0, inode)))).toBeUndefined();
});

test("nobody is told where the lists are not to be had", () => {
  expect(userIn("", "")).toBeUndefined();
});
