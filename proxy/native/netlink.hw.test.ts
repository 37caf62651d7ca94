// A program in a pod with CAP_NET_ADMIN there: it finds the agent's socket in /proc/net/netlink and may
// send to it, in a namespace of the test's own.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closeFd } from './fd.ts';
import { checked, libc } from './libc.ts';
import { dump, netlinkSocket, request } from './netlink.ts';
import { withNetnsAt } from './netns.ts';

const socket = libc.func('int socket(int domain, int type, int protocol)');
const getsockname = libc.func(
  'int getsockname(int fd, _Out_ uint8_t *name, _Inout_ uint32_t *length)',
);
const sendto = libc.func(
  'int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *to, uint32_t size)',
);
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_NETFILTER = 12;
const NLM_F_REQUEST = 1;
const NFT_MSG_GETTABLE = 0x0a01;
const NFT_MSG_NEWTABLE = 0x0a00;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_GETROUTE = 26;
const NFGENMSG = Buffer.of(1, 0, 0, 0);

let netns: string;
const run = (program: string, ...args: readonly string[]): Buffer => execFileSync(program, args);
const fds: number[] = [];
const inside = <T>(act: () => T): T => withNetnsAt(`/run/netns/${netns}`, act);
const opened = (protocol: 'route' | 'netfilter'): number => {
  const fd = inside(() => netlinkSocket(protocol));
  fds.push(fd);
  return fd;
};
beforeEach(() => {
  netns = `tl-nl-${randomBytes(4).toString('hex')}`;
  run('ip', 'netns', 'add', netns);
});
afterEach(() => {
  for (const fd of fds.splice(0)) closeFd(fd);
  run('ip', 'netns', 'delete', netns);
});

function message(type: number, flags: number, body: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  return Buffer.concat([header, body]);
}

/** struct sockaddr_nl. */
function nameOf(fd: number): Buffer {
  const name = Buffer.alloc(12);
  checked('getsockname', getsockname(fd, name, [name.length]) as number);
  return name;
}

test('netlinkSocket() takes nothing from a program of the namespace', () => {
  const asking = opened('netfilter');
  const forging = inside(() => socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER) as number);
  fds.push(forging);
  const forged = Buffer.concat([
    message(NFT_MSG_NEWTABLE, 0, NFGENMSG),
    message(NLMSG_DONE, 0, Buffer.alloc(4)),
  ]);
  expect(sendto(forging, forged, forged.length, 0, nameOf(asking), 12)).toBe(-1);
  expect(dump(asking, NFT_MSG_GETTABLE, NFGENMSG)).toEqual([]);
});

test('request() takes the answer to another request for none', () => {
  const fd = opened('route');
  const stale = message(RTM_GETLINK, NLM_F_REQUEST, Buffer.of(0, 0, 0, 0, 1, ...Buffer.alloc(11)));
  expect(sendto(fd, stale, stale.length, 0, null, 0)).toBe(stale.length);
  const answer = request(fd, RTM_GETROUTE, 0, Buffer.alloc(12));
  expect(answer).not.toMatchObject({ type: RTM_NEWLINK });
});
