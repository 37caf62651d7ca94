// The listening sockets of one worker: whose connections each takes, and what becomes of one that there is
// no descriptor for. How a connection goes on is outbound.ts and inbound.ts.
import { Acceptor } from './acceptor.ts';
import { refused } from './carry.ts';
import { roleKey, type ListenerRole } from './control.ts';
import { shortOf, type DescriptorRoom } from './descriptors.ts';
import type { Facts } from './facts.ts';
import type { Floor } from './floor.ts';
import { acceptLane } from './inbound.ts';
import { acceptPod, turnAway } from './outbound.ts';

export class Entrances {
  readonly #floor: Floor;
  readonly #descriptors: DescriptorRoom;
  readonly #open = new Map<string, Acceptor>();

  constructor(floor: Floor, descriptors: DescriptorRoom) {
    this.#floor = floor;
    this.#descriptors = descriptors;
  }

  /** Accepts on `fd`, which it owns, in place of the one of the same role; closes it while draining. */
  open(fd: number, role: ListenerRole): void {
    this.close(role);
    const facts: Facts =
      role.kind === 'lane' ? { direction: 'in' } : { direction: 'out', podUid: role.podUid };
    const floor = this.#floor;
    const descriptors = this.#descriptors;
    const listener = new Acceptor(
      floor.reactor,
      fd,
      (accepted) => {
        if (accepted.fd >= descriptors.ceiling && !this.#makeRoom()) {
          turnAway(floor, accepted, 'limit', facts, shortOf(descriptors));
        } else if (role.kind === 'lane') acceptLane(floor, accepted);
        else acceptPod(floor, role.podUid, role.family, accepted);
      },
      (error) => refused(floor, 'limit', facts, error.message),
    );
    if (floor.isDraining()) listener.close();
    else this.#open.set(roleKey(role), listener);
  }

  close(role: ListenerRole): void {
    const key = roleKey(role);
    this.#open.get(key)?.close();
    this.#open.delete(key);
  }

  closeAll(): void {
    for (const listener of this.#open.values()) listener.close();
    this.#open.clear();
  }

  /** For a lane, which takes two descriptors. */
  #makeRoom(): boolean {
    const { strangers } = this.#floor;
    return strangers.makeRoom() && strangers.makeRoom();
  }
}
