// Decoder of exec.bt.
import { z } from 'zod';
import { netns, pid, uid, word } from './cells.ts';

/** What exec.bt prints, as an object. */
export const execSighting = z
  .tuple([z.literal('exec'), netns, pid, pid, uid, word, word])
  .transform(([kind, inode, process, ppid, user, comm, path]) => ({
    kind,
    netns: inode,
    pid: process,
    ppid,
    uid: user,
    comm,
    path,
  }));
