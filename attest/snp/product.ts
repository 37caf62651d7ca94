// The lines of AMD processors that speak SEV-SNP: which one a processor or a certificate belongs to, and
// the root key that AMD certifies each with.
import type { CpuModel } from './report.ts';

export type SnpProduct = 'Milan' | 'Genoa' | 'Turin';

export const SNP_PRODUCTS = ['Milan', 'Genoa', 'Turin'] as const satisfies readonly SnpProduct[];

/**
 * SHA-256 of the DER of each AMD root key certificate (ARK), as the Key Distribution Service gives it
 * out at /vcek/v1/<product>/cert_chain (AMD 57230 2) and as other verifiers carry it.
 */
export const AMD_ROOTS: Readonly<Record<string, SnpProduct>> = {
  '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd': 'Milan',
  '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1': 'Genoa',
  '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a': 'Turin',
};

/** Combined family, first and last combined model (AMD 57230, Table 4); Siena is certified as Genoa. */
const MODELS: readonly (readonly [family: number, first: number, last: number, SnpProduct])[] = [
  [0x19, 0x00, 0x0f, 'Milan'],
  [0x19, 0x10, 0x1f, 'Genoa'],
  [0x19, 0xa0, 0xaf, 'Genoa'],
  [0x1a, 0x00, 0x1f, 'Turin'],
];

/** The product of a processor; undefined when it is none that is known. */
export const productOfCpu = ({ family, model }: CpuModel): SnpProduct | undefined =>
  MODELS.find(([of, first, last]) => family === of && model >= first && model <= last)?.[3];

/** The product of the name in a VEK certificate, `Milan-B0` or `Milan`; undefined when unknown. */
export function productOfName(name: string): SnpProduct | undefined {
  const line = name.split('-')[0];
  if (line === 'Siena' || line === 'Bergamo') return 'Genoa';
  return SNP_PRODUCTS.find((product) => product === line);
}
