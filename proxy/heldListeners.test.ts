import { fstatSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ListenerRole } from './control.ts';
import { HeldListeners } from './heldListeners.ts';
import { dupFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';

const LANE: ListenerRole = { kind: 'lane' };
const POD: ListenerRole = { kind: 'pod', podUid: 'p', family: 4 };
const listener = (): number => tcpListener('127.0.0.1', 0);
const isOpen = (fd: number): boolean => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};

describe('HeldListeners', () => {
  test('hold() says whether the socket is new for its role, and closes the descriptor if not', () => {
    const held = new HeldListeners();
    const first = listener();
    const again = dupFd(first);
    expect(held.hold(LANE, first)).toBe(true);
    expect(held.hold(LANE, again)).toBe(false);
    expect([isOpen(first), isOpen(again)]).toEqual([true, false]);
    const other = listener();
    expect(held.hold(LANE, other)).toBe(true);
    expect([isOpen(first), held.fds()]).toEqual([false, [other]]);
    held.close();
    expect(isOpen(other)).toBe(false);
  });

  test('releaseUnnamed() lets go of what the next control plane did not name', () => {
    const held = new HeldListeners();
    const [lane, pod] = [listener(), listener()];
    held.hold(LANE, lane);
    held.hold(POD, pod);
    held.forgetNames();
    held.hold(LANE, dupFd(lane));
    expect(held.releaseUnnamed()).toEqual([POD]);
    expect([isOpen(lane), isOpen(pod)]).toEqual([true, false]);
    expect(held.releaseUnnamed()).toEqual([]);
    held.close();
  });

  test('release() closes what is held for a role, if anything', () => {
    const held = new HeldListeners();
    const pod = listener();
    held.hold(POD, pod);
    held.release(LANE);
    held.release(POD);
    expect([isOpen(pod), held.fds()]).toEqual([false, []]);
  });
});
