import { fstatSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Ledger, ledgerMemory } from './ledger.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { createMemfd } from '#proxy/native/memfd.ts';
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
