// Events in words, for verdicts that name what did not match: `boot loader \EFI\debian\grubx64.efi`.
// A description is no claim: types and most paths are not measured (ATTESTATION trap 1).
import { readEvent, type Decoded, type ReadEvent } from './decode.ts';
import type { LogEvent } from './parse.ts';
import { eventTypeName } from './types.ts';
import type { VariableValue } from './variableValue.ts';

/** Characters of a description; command lines are longer. */
const MAX_CHARACTERS = 160;
const MAX_NAMES = 3;

/** What an event measured, in a few words, safe to print. */
export const describeEvent = (event: LogEvent): string => describeRead(readEvent(event));

/** The same of an event that has been read. */
export function describeRead(event: ReadEvent): string {
  const text = wordsOf(event);
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}..` : text;
}

function wordsOf({ type, pcr, decoded, data }: ReadEvent): string {
  const name = eventTypeName(type);
  switch (decoded.kind) {
    case 'specId':
      return `log header, specification ${decoded.version} errata ${decoded.errata}`;
    case 'startupLocality':
      return `TPM started at locality ${decoded.locality}`;
    case 'statement':
      return `statement ${decoded.name}`;
    case 'separator':
      return /^0*$|^f*$/.test(decoded.value) ? 'separator' : `error separator ${decoded.value}`;
    case 'variable':
      return `${VARIABLE_ROLES[name] ?? 'variable'} ${decoded.name}${valueWords(decoded.value)}`;
    case 'image':
      return imageWords(name, decoded);
    case 'partitions':
      return `partition table of disk ${decoded.disk}, ${decoded.partitions.length} partitions`;
    case 'firmware':
      return `firmware code ${decoded.description || `at ${decoded.base}`}, ${decoded.sizeBytes} bytes`;
    case 'tables':
      return `firmware tables ${decoded.description || decoded.tables.join(', ')}`;
    case 'command':
      return `${COMMAND_ROLES.get(decoded.label) ?? decoded.label} ${decoded.text}`;
    case 'tag':
      return decoded.text === decoded.name ? decoded.name : `${decoded.name} ${decoded.text}`;
    case 'text':
      return `${textRole(name, pcr, decoded.text)}${decoded.text.trim()}`;
    case 'guid':
      return `firmware version ${decoded.guid}`;
    case 'bytes':
    case 'unreadable':
      return `${name} of ${data.length} bytes`;
  }
}

const VARIABLE_ROLES: Readonly<Record<string, string>> = {
  EV_EFI_VARIABLE_DRIVER_CONFIG: 'Secure Boot variable',
  EV_EFI_VARIABLE_AUTHORITY: 'Secure Boot authority',
  EV_EFI_VARIABLE_BOOT: 'boot variable',
  EV_EFI_VARIABLE_BOOT2: 'boot variable',
};

/** By label, which is the log's own text. */
const COMMAND_ROLES: ReadonlyMap<string, string> = new Map([
  ['kernel_cmdline', 'kernel command line'],
  ['module_cmdline', 'module command line'],
  ['grub_cmd', 'GRUB command'],
  ['td_payload_info', 'kernel command line'],
]);

function imageWords(type: string, { file, path }: Extract<Decoded, { kind: 'image' }>): string {
  const role = type === 'EV_EFI_BOOT_SERVICES_APPLICATION' ? 'boot loader' : 'driver';
  return `${role} ${file ?? path ?? '(loaded from memory)'}`;
}

function valueWords(value: VariableValue): string {
  switch (value.form) {
    case 'empty':
      return ', empty';
    case 'flag':
      return ` = ${value.value}`;
    case 'signatures':
      return `: ${signatureWords(value)}`;
    case 'certificate':
      return `: ${value.certificate.subject}`;
    case 'bootOrder':
      return `: ${value.order.join(', ')}`;
    case 'bootOption':
      return `: ${value.description}, ${value.path}`;
    case 'text':
      return `: ${value.text}`;
    case 'bytes':
      return `, ${value.sizeBytes} bytes`;
  }
}

function signatureWords({
  certificates,
  counts,
}: Extract<VariableValue, { form: 'signatures' }>): string {
  const names = certificates.slice(0, MAX_NAMES).map(({ subject }) => subject);
  const kinds = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
  return [...names, kinds.join(', ')].join('; ');
}

/** What a text of a boot loader is about, by register (UAPI Linux TPM PCR registry). */
function textRole(type: string, pcr: number, text: string): string {
  if (type === 'EV_S_CRTM_VERSION') return 'firmware version ';
  if (type === 'EV_EFI_ACTION' || type === 'EV_ACTION') return 'action ';
  if (type !== 'EV_IPL') return '';
  if (text.startsWith('MokList')) return 'machine owner keys ';
  if (pcr === 8 || pcr === 12) return 'kernel command line ';
  if (pcr === 11) return text.startsWith('.') ? 'UKI section ' : 'boot phase ';
  return /^[(/]/.test(text) ? 'file ' : '';
}
