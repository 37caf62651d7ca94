import { describe, expect, test } from 'vitest';
import { InheritedListeners } from './inheritedListeners.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { listeningPlace } from '#proxy/native/listening.ts';
import { createMemfd } from '#proxy/native/memfd.ts';
import { inodeOf, OWN_NETNS } from '#proxy/native/netns.ts';
import { tcpListener, tcpSocket } from '#proxy/native/socket.ts';

const netns = inodeOf(OWN_NETNS);

describe('InheritedListeners', () => {
  test('claim() gives the listener of a place, once', () => {
    const [v4, v6] = [tcpListener('127.0.0.1', 0), tcpListener('::1', 0)];
    const listeners = new InheritedListeners([v4, v6]);
    const [place4, place6] = [listeningPlace(v4), listeningPlace(v6)];
    if (place4 === undefined || place6 === undefined) throw new RangeError('none listens');
    const [at4, at6] = [place4, place6].map(({ address, port }) => ({ address, port, netns }));
    if (at4 === undefined || at6 === undefined) throw new RangeError('two places');
    expect(listeners.claim({ ...at4, port: at4.port + 1 })).toBeUndefined();
    expect(listeners.claim({ ...at4, netns: netns + 1 })).toBeUndefined();
    expect(listeners.claim({ ...at4, address: '127.0.0.2' })).toBeUndefined();
    expect(listeners.claim({ ...at6, address: '0:0:0:0:0:0:0:1' })).toBe(v6);
    expect(listeners.claim(at6)).toBeUndefined();
    expect(listeners.size).toBe(1);
    listeners.close();
    expect(listeningPlace(v4)).toBeUndefined();
    expect(listeningPlace(v6)).toEqual(place6);
    closeFd(v6);
  });

  test.each([
    ['an unconnected socket', () => tcpSocket(4)],
    ['memory', () => createMemfd('none', 4096)],
  ])('takes none when one is %s', (_what, make) => {
    const fds = [tcpListener('127.0.0.1', 0), make()];
    expect(() => new InheritedListeners(fds)).toThrow(/does not listen/);
    fds.forEach(closeFd);
  });
});
