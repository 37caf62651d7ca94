// Templates of the Linux integrity measurement architecture: which fields an entry has, and how each is
// written (security/integrity/ima/ima_template.c and ima_template_lib.c). Constants and look-up only.

/**
 * How a field is kept and shown: `digest` raw; `named` behind `algorithm:` or `type:algorithm:` and a
 * zero byte; `text` with a final zero byte; `hex` raw; `u16` and `u32` little endian.
 */
export type FieldKind = 'digest' | 'named' | 'text' | 'hex' | 'u16' | 'u32';

export interface Field {
  /** `d-ng`, `n-ng`, `sig` and so on, as in a template format. */
  readonly id: string;
  readonly kind: FieldKind;
}

const KINDS: ReadonlyMap<string, FieldKind> = new Map([
  ['d', 'digest'],
  ['n', 'text'],
  ['d-ng', 'named'],
  ['d-ngv2', 'named'],
  ['n-ng', 'text'],
  ['sig', 'hex'],
  ['buf', 'hex'],
  ['d-modsig', 'named'],
  ['modsig', 'hex'],
  ['evmsig', 'hex'],
  ['xattrnames', 'text'],
  ['xattrlengths', 'hex'],
  ['xattrvalues', 'hex'],
  ['iuid', 'u32'],
  ['igid', 'u32'],
  ['imode', 'u16'],
]);

/** The first template: its fields have no lengths, and its name is hashed as 256 bytes. */
export const FIXED_TEMPLATE = 'ima';

const FORMATS: ReadonlyMap<string, string> = new Map([
  [FIXED_TEMPLATE, 'd|n'],
  ['ima-ng', 'd-ng|n-ng'],
  ['ima-sig', 'd-ng|n-ng|sig'],
  ['ima-ngv2', 'd-ngv2|n-ng'],
  ['ima-sigv2', 'd-ngv2|n-ng|sig'],
  ['ima-buf', 'd-ng|n-ng|buf'],
  ['ima-modsig', 'd-ng|n-ng|sig|d-modsig|modsig'],
  ['evm-sig', 'd-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode'],
]);

/** MAX_TEMPLATE_NAME_LEN of the kernel is below this. */
export const MAX_TEMPLATE_NAME_BYTES = 255;
/** TEMPLATE_NUM_FIELDS_MAX. */
const MAX_FIELDS = 15;

/**
 * The fields of a template by its name, or by its format where it has no name (`d-ng|n-ng|sig`);
 * undefined for one that Tidelock does not know.
 */
export function templateFields(name: string): readonly Field[] | undefined {
  const known = KNOWN.get(name);
  return known ?? (name.length <= MAX_TEMPLATE_NAME_BYTES ? fieldsOf(name) : undefined);
}

function fieldsOf(format: string): readonly Field[] | undefined {
  const ids = format.split('|');
  const fields = ids.flatMap((id) => {
    const kind = KINDS.get(id);
    return kind === undefined ? [] : [{ id, kind }];
  });
  return fields.length === ids.length && ids.length <= MAX_FIELDS ? fields : undefined;
}

const KNOWN: ReadonlyMap<string, readonly Field[]> = new Map(
  Array.from(FORMATS, ([name, format]) => [name, fieldsOf(format) ?? []]),
);
