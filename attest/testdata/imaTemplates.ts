// One entry of every template that the kernel has, and of formats without a name.
import { utf8 } from '#agent/base/bytes.ts';
import {
  NO_FIELD,
  digestField,
  hexField,
  textField,
  u32le,
  type EntryToWrite,
  type FieldToWrite,
} from './imaEntries.ts';

const digest = digestField('sha256', Buffer.alloc(32, 0xd1));
const verity = digestField('verity:sha512', Buffer.alloc(64, 0xd2));
const name = textField('/usr/bin/true');
const signature = hexField(Buffer.from('030204d32044900673', 'hex'));
const number = (kept: Buffer, value: number): FieldToWrite => ({ kept, shown: String(value) });
const mode = number(u32le(0o100755).subarray(0, 2), 0o100755);
const [uid, gid] = [number(u32le(1000), 1000), number(u32le(0xffff_fffe), 0xffff_fffe)];

const fields: Readonly<Record<string, readonly FieldToWrite[]>> = {
  ima: [hexField(Buffer.alloc(20, 0xd0)), name],
  'ima-ng': [digest, name],
  'ima-sig': [digest, name, signature],
  'ima-buf': [digest, textField('kexec-cmdline'), hexField(Buffer.from(utf8('root=/dev/vda')))],
  'ima-ngv2': [verity, name],
  'ima-sigv2': [verity, name, signature],
  'ima-modsig': [digest, name, NO_FIELD, digestField('sha512', Buffer.alloc(64, 3)), signature],
  'evm-sig': [
    digest,
    name,
    signature,
    textField('security.ima|security.capability'),
    hexField(u32le(34)),
    hexField(Buffer.alloc(34, 4)),
    uid,
    gid,
    mode,
  ],
  'd-ng|n-ng|modsig|imode': [digest, name, NO_FIELD, mode],
  'd|n': [hexField(Buffer.alloc(20, 5)), name],
};

/** By template; `ima-modsig` and the first format have empty fields in between. */
export const ALL_TEMPLATES: readonly [template: string, entry: EntryToWrite][] = Object.entries(
  fields,
).map(([template, of]) => [template, { template, fields: of }]);
