// Decoder of connect.bt.
import { z } from 'zod';
import { address, endpoint, netns, pid, port, socket, word } from './cells.ts';

/** What connect.bt prints, as an object; `byNetns` is the namespace of the process. */
export const connectSighting = z
  .tuple([z.literal('connect'), netns, socket, netns, pid, word, address, port])
  .transform(([kind, inode, sk, byNetns, process, comm, to, on]) => ({
    kind,
    netns: inode,
    socket: sk,
    byNetns,
    process: { pid: process, comm },
    destination: endpoint(to, on),
  }));
