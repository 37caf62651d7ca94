import { fstatSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, it, vi } from 'vitest';
import { Ledger, ledgerMemory } from './ledger.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { createMemfd } from '#proxy/native/memfd.ts';
import { acceptNext, transmit } from '#proxy/native/stream.ts';
import { listening } from './ports.fixture.ts';
import { Reactor } from './reactor.ts';

const LIMIT = 20_000;
const isOpen = (fd: number): boolean => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};

it('clear() closes what the worker has, and nothing that it dropped or that is another’s', () => {
  const memory = ledgerMemory(LIMIT);
  const [one, other] = [new Ledger(memory, 0), new Ledger(memory, 255)];
  const file = createMemfd('file', 8);
  const [its, dropped, others] = [dupFd(file), dupFd(file), dupFd(file)];
  for (const fd of [its, dropped]) one.take(fd);
  other.take(others);
  one.drop(dropped);
  expect(new Ledger(memory, 0).clear()).toBe(1);
  expect([its, dropped, others].map(isOpen)).toEqual([false, true, true]);
  expect(new Ledger(memory, 0).clear()).toBe(0);
  [file, dropped, others].forEach(closeFd);
});

it('Ledger has no account of descriptors beyond its memory', () => {
  const ledger = new Ledger(ledgerMemory(8), 0);
  ledger.take(9);
  expect(ledger.clear()).toBe(0);
  expect(ledgerMemory(2 ** 30).byteLength).toBeLessThan(4 << 20);
});

it('Reactor notes what it takes, and drops what it closes', () => {
  const memory = ledgerMemory(LIMIT);
  const reactor = new Reactor(new Ledger(memory, 3));
  const file = createMemfd('file', 8);
  reactor.take(file);
  const fd = dupFd(file);
  reactor.take(fd);
  reactor.close(fd);
  reactor.turn(0);
  expect(isOpen(fd)).toBe(false);
  expect(new Ledger(memory, 3).clear()).toBe(2); // the file, and what it waits with
  expect(isOpen(file)).toBe(false);
});

it('clear() leaves a listening socket to others as it was: what they accept ends by a FIN behind all of it', async () => {
  const [listener, port] = await listening();
  const ledger = new Ledger(ledgerMemory(LIMIT), 0);
  ledger.take(dupFd(listener));
  expect(ledger.clear()).toBe(1);
  const client = connect({ host: '127.0.0.1', port });
  let said = '';
  client.on('data', (bytes) => (said += String(bytes)));
  const ended = new Promise((resolve) => {
    client.once('end', () => resolve('end'));
    client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  const { fd } = await vi.waitFor(() => acceptNext(listener) ?? expect.fail('not yet'));
  transmit(fd, Buffer.from('last words'), false);
  closeFd(fd);
  expect([await ended, said]).toEqual(['end', 'last words']);
  closeFd(listener);
});
