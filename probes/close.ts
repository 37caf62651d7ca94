// Decoder of close.bt.
import { z } from 'zod';
import { address, endpoint, netns, port, socket } from './cells.ts';

/** `TCP_SYN_SENT` (include/net/tcp_states.h). */
const SYN_SENT = 2;
const state = z.int().min(1).max(12);

/** What close.bt prints, as an object. */
export const closeSighting = z
  .tuple([z.literal('close'), netns, socket, state, address, port, address, port])
  .transform(([kind, inode, sk, from, here, herePort, there, therePort]) => ({
    kind,
    netns: inode,
    socket: sk,
    established: from !== SYN_SENT,
    local: endpoint(here, herePort),
    remote: endpoint(there, therePort),
  }));
