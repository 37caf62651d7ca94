// TCB_VERSION: the security patch levels of a processor's firmware and microcode (AMD 56860 2.2; Turin has a
// layout of its own), compared component by component, and what to do about one that is too low.
import type { Bytes } from '#agent/base/bytes.ts';
import type { SnpProduct } from './product.ts';

export const TCB_COMPONENTS = ['fmc', 'boot_loader', 'tee', 'snp', 'microcode'] as const;
export type TcbComponent = (typeof TCB_COMPONENTS)[number];

/** Patch levels 0 to 255; `fmc` on Turin alone. */
export type Tcb = Readonly<Partial<Record<TcbComponent, number | undefined>>>;

type Layout = Readonly<Partial<Record<TcbComponent, number>>>;

const UP_TO_GENOA: Layout = { boot_loader: 0, tee: 1, snp: 6, microcode: 7 };
const TURIN: Layout = { fmc: 0, boot_loader: 1, tee: 2, snp: 3, microcode: 7 };

const layoutOf = (product: SnpProduct): Layout => (product === 'Turin' ? TURIN : UP_TO_GENOA);

/** The components of the 8 bytes of a TCB_VERSION. */
export const readTcb = (raw: Bytes, product: SnpProduct): Tcb =>
  Object.fromEntries(
    Object.entries(layoutOf(product)).map(([name, offset]) => [name, raw[offset]]),
  );

/** True when bytes are set that belong to no component: they must be zero. */
export function hasUnknownTcb(raw: Bytes, product: SnpProduct): boolean {
  const known = new Set(Object.values(layoutOf(product)));
  return raw.some((level, offset) => level !== 0 && !known.has(offset));
}

/** A component that is below what is asked; `level` is undefined where the product has no such one. */
export interface Shortfall {
  readonly component: TcbComponent;
  readonly level: number | undefined;
  readonly needed: number;
}

/** Components of `tcb` below those of `floor`; what `floor` leaves out is not compared. */
export const shortfalls = (tcb: Tcb, floor: Tcb): Shortfall[] =>
  TCB_COMPONENTS.flatMap((component) => {
    const [level, needed = 0] = [tcb[component], floor[component]];
    return (level ?? 0) < needed ? [{ component, level, needed }] : [];
  });

export const sameTcb = (a: Tcb, b: Tcb): boolean =>
  shortfalls(a, b).length === 0 && shortfalls(b, a).length === 0;

/** `boot_loader 3, tee 0, snp 8, microcode 115`. */
export const tcbText = (tcb: Tcb): string =>
  TCB_COMPONENTS.filter((component) => tcb[component] !== undefined)
    .map((component) => `${component} ${tcb[component]}`)
    .join(', ');

/** `microcode is 115, needs 206: update the microcode (BIOS)`, for each. */
export const shortfallText = (found: readonly Shortfall[]): string =>
  found
    .map(({ component, level, needed }) =>
      level === undefined
        ? `${component} is not there, needs ${needed}: the product has none, set no floor for it`
        : `${component} is ${level}, needs ${needed}: ${remedy(component)}`,
    )
    .join('; ');

const remedy = (component: TcbComponent): string =>
  component === 'microcode'
    ? 'update the microcode, with the BIOS or the host’s microcode package'
    : 'update the SEV firmware, with the BIOS or the host’s firmware package';
