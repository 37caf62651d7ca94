// Decoder of bypass.bt and bypassVeth.bt.
import { z } from 'zod';
import { address, endpoint, netns, pid, port, socket, word } from './cells.ts';

/** ACK in the flags of TCP (RFC 9293 3.1): with SYN, the answer to a connection that came in. */
const ACK = 0x10;
const flags = z.int().min(0).max(0xff);

/** What both print, as an object; `byNetns` is the namespace of the process, which may be any. */
export const bypassSighting = z
  .tuple([
    z.literal('bypass'),
    netns,
    flags,
    socket,
    netns,
    pid,
    word,
    address,
    port,
    address,
    port,
  ])
  .transform(([kind, inode, set, sk, byNetns, process, comm, from, fromPort, to, toPort]) => ({
    kind,
    netns: inode,
    direction: (set & ACK) === 0 ? ('out' as const) : ('in' as const),
    socket: sk,
    byNetns,
    process: { pid: process, comm },
    local: endpoint(from, fromPort),
    remote: endpoint(to, toPort),
  }));
