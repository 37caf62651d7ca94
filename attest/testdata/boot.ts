// The boot that fixtures and tests share: what an imaginary firmware measured, and its log.
import { utf8 } from '#agent/base/bytes.ts';
import type { EventToWrite } from '#attest/eventlog/write.ts';

const event = (pcr: number, type: string, text: string): EventToWrite => ({
  pcr,
  type,
  data: utf8(text),
});

/** PCR 0 to 7 and 11, one to three events each. */
export const BOOT: readonly EventToWrite[] = [
  event(0, 'EV_S_CRTM_VERSION', 'Tidelock test firmware 1.0'),
  event(1, 'EV_EFI_ACTION', 'setup defaults'),
  event(2, 'EV_EFI_BOOT_SERVICES_DRIVER', 'network option ROM'),
  event(3, 'EV_EFI_ACTION', 'option ROM settings'),
  event(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', 'SecureBoot=1'),
  event(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', 'db=Tidelock'),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => event(pcr, 'EV_SEPARATOR', '\0\0\0\0')),
  {
    ...event(4, 'EV_EFI_BOOT_SERVICES_APPLICATION', '\\EFI\\BOOT\\BOOTX64.EFI'),
    measured: utf8('image of the boot loader'),
  },
  event(5, 'EV_EFI_GPT_EVENT', 'one partition'),
  { ...event(11, 'EV_IPL', '.linux'), measured: utf8('image of the kernel') },
];
