// How many descriptors a data plane may open, and what of them is kept back. All its threads share one
// table, and the kernel gives out the lowest free number of it (open(2)): the number that a new connection
// gets is at most how many are open, so that no worker has to count what the others hold.

export interface DescriptorRoom {
  /** So many may be open at once. */
  readonly limit: number;
  /** A connection whose descriptor has this number or a higher one is not taken on. */
  readonly ceiling: number;
  /** Of each kind of connection that carries no lane, a worker keeps so many. */
  readonly idle: number;
}

/** Kept back for what goes on below the ceiling: sockets into pods, the way to peers, the control plane. */
const RESERVE = { part: 1 / 32, min: 64 } as const;
/** Connections of one kind that carry no lane may take so much of all workers together. */
const IDLE = { part: 1 / 16, max: 2048 } as const;

/** What a process with this limit and so many workers takes on. */
export function descriptorRoom(limit: number, workers: number): DescriptorRoom {
  const reserve = Math.max(RESERVE.min, Math.ceil(limit * RESERVE.part));
  const share = Math.floor((limit * IDLE.part) / workers);
  return {
    limit,
    ceiling: Math.max(1, limit - reserve),
    idle: Math.max(1, Math.min(IDLE.max, share)),
  };
}

/** One clause for operators. */
export const shortOf = ({ limit }: DescriptorRoom): string =>
  `of ${limit} descriptors all but a reserve are open; raise LimitNOFILE (ulimit -n)`;
