// Listening sockets that a data plane gave to the control plane which took it over. They are known by
// where they listen and not by what was said of them.
import { setNonBlocking } from '#proxy/native/fd.ts';
import { closeListener, listeningPlace, type ListeningPlace } from '#proxy/native/listening.ts';
import { addressBytes, addressText } from '#proxy/native/sockaddr.ts';

export class InheritedListeners {
  readonly #held: { readonly fd: number; readonly place: ListeningPlace }[];

  /** Owns the descriptors. Errors: RangeError when one is no listening socket; then it owns none. */
  constructor(fds: readonly number[]) {
    this.#held = fds.map((fd) => {
      const place = listeningPlace(fd);
      if (place === undefined) throw new RangeError('it gave a listener that does not listen');
      return { fd, place };
    });
  }

  get size(): number {
    return this.#held.length;
  }

  /** The one that listens there, for the caller to close; undefined: none does. */
  claim({ address, port, netns }: Omit<ListeningPlace, 'family'>): number | undefined {
    const wanted = addressText(addressBytes(address));
    const at = this.#held.findIndex(
      ({ place }) => place.address === wanted && place.port === port && place.netns === netns,
    );
    const found = at < 0 ? undefined : this.#held.splice(at, 1)[0]?.fd;
    if (found !== undefined) setNonBlocking(found);
    return found;
  }

  /** Closes those that nobody claimed. */
  close(): void {
    for (const { fd } of this.#held.splice(0)) closeListener(fd);
  }
}
