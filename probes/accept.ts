// Decoder of accept.bt.
import { z } from 'zod';
import { address, endpoint, netns, port, socket } from './cells.ts';

/** What accept.bt prints, as an object. */
export const acceptSighting = z
  .tuple([z.literal('accept'), netns, socket, address, port, address, port])
  .transform(([kind, inode, sk, here, herePort, there, therePort]) => ({
    kind,
    netns: inode,
    socket: sk,
    local: endpoint(here, herePort),
    remote: endpoint(there, therePort),
  }));
