// What the contents of the variables mean that decide which code may boot and which does: Secure Boot
// state, key databases, authorities, boot options, shim's lists.
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { GLOBAL_VARIABLE, SECURITY_DATABASE, SHIM_LOCK } from './guid.ts';
import { parseLoadOption } from './loadOption.ts';
import { ifReadable } from './readable.ts';
import {
  certificateOf,
  parseSignatureData,
  parseSignatureLists,
  type Certificate,
  type SignatureLists,
} from './signatureList.ts';
import { utf8Text } from './text.ts';
import type { UefiVariable } from './variable.ts';

/** The contents of a variable, read by its name. */
export type VariableValue =
  | { readonly form: 'empty' }
  /** SecureBoot, AuditMode, DeployedMode, MokListTrusted: one byte. */
  | { readonly form: 'flag'; readonly value: number }
  | ({ readonly form: 'signatures' } & SignatureLists)
  | { readonly form: 'certificate'; readonly certificate: Certificate }
  | { readonly form: 'bootOrder'; readonly order: readonly string[] }
  | {
      readonly form: 'bootOption';
      readonly active: boolean;
      readonly description: string;
      readonly path: string;
    }
  | { readonly form: 'text'; readonly text: string }
  | { readonly form: 'bytes'; readonly sizeBytes: number; readonly hex: string };

/** Bytes of an unknown value that are shown. */
const SHOWN_BYTES = 64;
const DER_SEQUENCE = 0x30;
const BOOT_OPTION = /^Boot[0-9A-Fa-f]{4}$/;
const DATABASES: ReadonlySet<string> = new Set(['PK', 'KEK', 'db', 'dbx', 'dbt', 'dbr']);
const MOK_LISTS: ReadonlySet<string> = new Set(['MokList', 'MokListX', 'MokListRT', 'MokListXRT']);

/** `authority`: the event says what authorised an image, so that the contents are one entry of a list. */
export function variableValue(
  { guid, name, contents }: UefiVariable,
  authority: boolean,
): VariableValue {
  if (contents.length === 0) return { form: 'empty' };
  const read = (parse: () => VariableValue): VariableValue =>
    ifReadable(parse) ?? (contents.length === 1 ? flag(contents) : bytes(contents));
  if (guid === GLOBAL_VARIABLE && name === 'BootOrder') return read(() => bootOrder(contents));
  if (guid === GLOBAL_VARIABLE && BOOT_OPTION.test(name)) return read(() => bootOption(contents));
  if (guid === SHIM_LOCK && name === 'SbatLevel') return { form: 'text', text: utf8Text(contents) };
  const keys =
    ((guid === GLOBAL_VARIABLE || guid === SECURITY_DATABASE) && DATABASES.has(name)) ||
    (guid === SHIM_LOCK && (MOK_LISTS.has(name) || authority));
  if (!keys || contents.length === 1)
    return contents.length === 1 ? flag(contents) : bytes(contents);
  return read(() =>
    authority ? entry(contents) : { form: 'signatures', ...parseSignatureLists(contents) },
  );
}

/** An EFI_SIGNATURE_DATA, or a bare certificate as shim measures its own. */
function entry(contents: Buffer): VariableValue {
  const certificate =
    contents[0] === DER_SEQUENCE ? certificateOf('', contents) : parseSignatureData(contents);
  return { form: 'certificate', certificate };
}

function bootOrder(contents: Bytes): VariableValue {
  const cursor = new Cursor(contents, 'BootOrder');
  const order: string[] = [];
  while (cursor.remaining > 0) {
    order.push(`Boot${cursor.u16le().toString(16).toUpperCase().padStart(4, '0')}`);
  }
  return { form: 'bootOrder', order };
}

function bootOption(contents: Bytes): VariableValue {
  const { active, description, path } = parseLoadOption(contents);
  return { form: 'bootOption', active, description, path: path.text };
}

const flag = (contents: Buffer): VariableValue => ({ form: 'flag', value: contents.readUInt8() });

const bytes = (contents: Buffer): VariableValue => ({
  form: 'bytes',
  sizeBytes: contents.length,
  hex: hex(contents.subarray(0, SHOWN_BYTES)),
});
