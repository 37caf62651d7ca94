// Decoder of bypass.bt.
import { z } from 'zod';
import { address, endpoint, netns, pid, port, socket, word } from './cells.ts';

const SYN = 0x02; // flags of TCP (RFC 9293 3.1)
const ACK = 0x10;
const flags = z.int().min(0).max(0xff);
const bit = z.literal([0, 1]);

/** What bypass.bt prints, as an object; `own`: the process is in the namespace of the socket. */
export const bypassSighting = z
  .tuple([
    z.literal('bypass'),
    netns,
    flags,
    bit,
    socket,
    bit,
    pid,
    word,
    address,
    port,
    address,
    port,
  ])
  .transform(([kind, inode, set, raw, sk, own, process, comm, from, fromPort, to, toPort]) => ({
    kind,
    netns: inode,
    /** SYN and ACK together are the answer to a connection that came in. */
    answers: (set & (SYN | ACK)) === (SYN | ACK),
    raw: raw === 1,
    own: own === 1,
    socket: sk,
    process: { pid: process, comm },
    local: endpoint(from, fromPort),
    remote: endpoint(to, toPort),
  }));
