// The listening sockets of a data plane, each with what it is for, kept open beside the duplicates that
// the workers accept on: the next control plane gets them from here, so that none is ever closed and
// no connection waiting in one is lost.
import { roleKey, type ListenerRole } from './control.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { isSameSocket } from '#proxy/native/listening.ts';

interface Held {
  readonly role: ListenerRole;
  readonly fd: number;
  /** The present control plane has named it. */
  isNamed: boolean;
}

export class HeldListeners {
  readonly #held = new Map<string, Held>();

  /** All of them; they stay held. */
  fds(): readonly number[] {
    return [...this.#held.values()].map(({ fd }) => fd);
  }

  /** All of them with their roles; they stay held. */
  all(): readonly Pick<Held, 'role' | 'fd'>[] {
    return [...this.#held.values()];
  }

  /** Owns `fd` from here on; false when that very socket is held for this role already. */
  hold(role: ListenerRole, fd: number): boolean {
    const key = roleKey(role);
    const before = this.#held.get(key);
    if (before !== undefined && isSameSocket(before.fd, fd)) {
      closeFd(fd);
      before.isNamed = true;
      return false;
    }
    if (before !== undefined) closeFd(before.fd);
    this.#held.set(key, { role, fd, isNamed: true });
    return true;
  }

  release(role: ListenerRole): void {
    const key = roleKey(role);
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    closeFd(held.fd);
  }

  /** Another control plane has come: it will name those it wants. */
  forgetNames(): void {
    for (const held of this.#held.values()) held.isNamed = false;
  }

  /** Lets go of what the present control plane has not named; what each was for. */
  releaseUnnamed(): readonly ListenerRole[] {
    const roles = [...this.#held.values()].filter(({ isNamed }) => !isNamed).map((h) => h.role);
    for (const role of roles) this.release(role);
    return roles;
  }

  close(): void {
    for (const { fd } of this.#held.values()) closeFd(fd);
    this.#held.clear();
  }
}
