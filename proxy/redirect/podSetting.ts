// The two kernel settings of a pod's network namespace that the redirect changes (ip-sysctl), each put
// back when the pod is released. They make things better; nothing rests on them.
import { readFileSync, writeFileSync } from 'node:fs';

/** A setting of the network namespace that the thread is in at each call. */
export interface PodSetting {
  /** `net.ipv4.tcp_tw_reuse = 1`. */
  readonly text: string;
  /** Sets it and says how it was; undefined when the host does not let it be changed (a read-only /proc/sys). */
  set(): string | undefined;
  /** Puts back what set() found, unless somebody has changed it since. */
  restore(before: string | undefined): void;
  /** Errors: those of reading a file. */
  isSet(): boolean;
  /** To what every namespace starts with, where nobody knows any more what set() found. */
  reset(): void;
}

function podSetting(name: string, value: string, initial: string): PodSetting {
  const file = `/proc/sys/net/ipv4/${name}`;
  const now = (): string => readFileSync(file, 'latin1').trim();
  return {
    text: `net.ipv4.${name} = ${value}`,
    set: () => {
      try {
        const before = now();
        if (before !== value) writeFileSync(file, value);
        return before;
      } catch {
        return undefined;
      }
    },
    restore: (before) => {
      if (before === undefined || before === value) return;
      try {
        if (now() === value) writeFileSync(file, before);
      } catch {
        // the namespace goes with its pod, and the setting with it
      }
    },
    isSet: () => now() === value,
    reset: () => writeFileSync(file, initial),
  };
}

/**
 * Outgoing connections may take a port in TIME_WAIT over once its timestamps say that nothing old can
 * arrive. Without it some 470 deliveries a second to one port of a pod, from the pod's own address, use
 * all ports up (RFC 9293 3.6.1).
 */
export const PORT_REUSE = podSetting('tcp_tw_reuse', '1', '2');

/**
 * What accepts a marked connection answers under that mark, IPv6 included: the answers are routed right
 * from the first one on. Without it each is routed twice, which costs bulk a third of its speed.
 */
export const MARK_ACCEPT = podSetting('tcp_fwmark_accept', '1', '0');

export const POD_SETTINGS: readonly PodSetting[] = [PORT_REUSE, MARK_ACCEPT];
