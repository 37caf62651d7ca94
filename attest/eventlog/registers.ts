// Where measurements of a kind go: PCRs of a TPM, or the registers of a confidential guest that stand
// for several of them (UEFI 2.10, 38.4.1). Constants and names only.

/** PCRs whose contents are named here (Firmware Profile 1.06, 3.3.4). */
export interface Registers {
  readonly kind: 'pcr' | 'rtmr';
  /** The register that a measurement of `pcr` goes to, as the log numbers it. */
  readonly holding: (pcr: number) => number;
  /** `PCR 7`, `RTMR0`. */
  readonly nameOf: (register: number) => string;
}

/** Registers that firmware separates from what follows it (Firmware Profile 1.06, 3.3.4). */
export const FIRMWARE_PCRS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7];
/** Boot loaders and the measurements of the hand-over. */
export const LOADER_PCR = 4;
/** Partition table, and the hand-over to the operating system. */
export const HANDOVER_PCR = 5;
/** Secure Boot policy. */
export const SECURE_BOOT_PCR = 7;

/** Those of a TPM: the log numbers them as they are. */
export const PCRS: Registers = {
  kind: 'pcr',
  holding: (pcr) => pcr,
  nameOf: (register) => `PCR ${register}`,
};

/** Intel TDX: the log's index 0 is MRTD, 1 to 4 are RTMR0 to RTMR3. */
export const RTMRS: Registers = {
  kind: 'rtmr',
  holding: (pcr) => {
    if (pcr === 0) return 0;
    if (pcr === 1 || pcr === SECURE_BOOT_PCR) return 1;
    return pcr < SECURE_BOOT_PCR ? 2 : 3;
  },
  nameOf: (register) => (register === 0 ? 'MRTD' : `RTMR${register - 1}`),
};
