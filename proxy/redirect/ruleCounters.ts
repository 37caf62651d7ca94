// The counters of a pod's rules, read from the kernel by netlink: no program is started, so that they can
// be looked at whenever somebody asks (linux/netfilter/nf_tables.h).
import { Buffer } from 'node:buffer';
import { concat } from '#agent/base/bytes.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { attribute, attributesIn, dump, netlinkSocket } from '#proxy/native/netlink.ts';
import { COUNTERS, TABLE } from './ruleset.ts';

/** Since the rules were loaded; what each counts says COUNTERS. */
export type RuleCounts = Readonly<Record<keyof typeof COUNTERS, number>>;

const countsBy = (count: (name: keyof RuleCounts) => number): RuleCounts => ({
  refusedIn: count('refusedIn'),
  plainIn: count('plainIn'),
  droppedOut: count('droppedOut'),
  udpOut: count('udpOut'),
  udpIn: count('udpIn'),
  udpRefused: count('udpRefused'),
});

/** Of a pod in which nothing happened. */
export const NO_COUNTS: RuleCounts = countsBy(() => 0);

/** Sums, counter by counter. */
export const addCounts = (a: RuleCounts, b: RuleCounts): RuleCounts =>
  countsBy((name) => a[name] + b[name]);

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETOBJ = 19;
const NFPROTO_INET = 1;
const NFTA_OBJ_TABLE = 1;
const NFTA_OBJ_NAME = 2;
const NFTA_OBJ_TYPE = 3;
const NFTA_OBJ_DATA = 4;
const NFT_OBJECT_COUNTER = 1;
const NFTA_COUNTER_PACKETS = 2;
/** struct nfgenmsg: family, version, resource. */
const NFGENMSG = Buffer.of(NFPROTO_INET, 0, 0, 0);

const REQUEST = concat(
  NFGENMSG,
  attribute(NFTA_OBJ_TABLE, Buffer.from(`${TABLE.split(' ')[1]}\0`)),
  attribute(NFTA_OBJ_TYPE, Buffer.of(0, 0, 0, NFT_OBJECT_COUNTER)),
);

/** Reads the counters of one network namespace. */
export class RuleCounters {
  readonly #fd: number;

  /** Of the namespace that the thread is in. Errors: SYSCALL_FAILED. */
  constructor() {
    this.#fd = netlinkSocket('netfilter');
  }

  /** All 0 where the table is gone. Errors: SYSCALL_FAILED. */
  read(): RuleCounts {
    const packets = new Map<string, number>();
    for (const { body } of dump(this.#fd, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETOBJ, REQUEST)) {
      const object = attributesIn(body.subarray(NFGENMSG.length));
      const name = object.get(NFTA_OBJ_NAME)?.toString().replace('\0', '');
      const data = object.get(NFTA_OBJ_DATA);
      const count = data && attributesIn(data).get(NFTA_COUNTER_PACKETS);
      if (name !== undefined && count) packets.set(name, Number(count.readBigUInt64BE(0)));
    }
    return countsBy((name) => packets.get(COUNTERS[name]) ?? 0);
  }

  close(): void {
    closeFd(this.#fd);
  }
}
