import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { closeFd } from './fd.ts';
import { fdOf } from './handle.ts';
import { socketPair } from './socket.ts';

test('fdOf() is the descriptor of a socket while it is open', async () => {
  const [one, other] = socketPair('stream');
  const socket = new Socket({ fd: one });
  expect(fstatSync(fdOf(socket)).ino).toBe(fstatSync(one).ino);
  socket.destroy();
  await once(socket, 'close');
  expect(fdOf(socket)).toBe(-1);
  closeFd(other);
});
