// Where AMD gives out the certificates that a report needs (AMD 57230 4). It is text for an operator:
// nothing here fetches anything, and one certificate every ten seconds is all that AMD allows.
import { hex } from '#agent/base/bytes.ts';
import { productOfCpu, type SnpProduct } from './product.ts';
import { isZero, type SnpReport } from './report.ts';
import { readTcb, type TcbComponent } from './tcb.ts';

const SERVICE = 'https://kdsintf.amd.com';

const PARAMETERS: Readonly<Record<TcbComponent, string>> = {
  fmc: 'fmcSPL',
  boot_loader: 'blSPL',
  tee: 'teeSPL',
  snp: 'snpSPL',
  microcode: 'ucodeSPL',
};

/** How to get the certificate of the key that signed `report`, and the chain above it. */
export function whereToGetVek(report: SnpReport): string {
  const product = report.cpu === undefined ? productOfChip(report) : productOfCpu(report.cpu);
  const name = product ?? '<product>';
  if (report.signingKey === 'VLEK') {
    return `The cloud provider gives out its VLEK certificate, AMD the chain: ${SERVICE}/vlek/v1/${name}/cert_chain.`;
  }
  if (isZero(report.chipId)) {
    return 'The host hides the chip id: the VCEK certificate has to come from the host, in the extended report.';
  }
  const chain = `${SERVICE}/vcek/v1/${name}`;
  return `Get it once and keep it: ${chain}/${chipText(report, product)}?${tcbQuery(report, product)} and, for --chain, ${chain}/cert_chain.`;
}

const chipText = ({ chipId }: SnpReport, product: SnpProduct | undefined): string =>
  hex(product === 'Turin' ? chipId.subarray(0, 8) : chipId);

/** Version 2 does not name the processor; chip ids of 8 bytes are those of Turin. */
const productOfChip = ({ chipId }: SnpReport): SnpProduct | undefined =>
  isZero(chipId.subarray(8)) ? 'Turin' : undefined;

const tcbQuery = ({ reportedTcb }: SnpReport, product: SnpProduct = 'Milan'): string =>
  Object.entries(readTcb(reportedTcb, product))
    .map(([component, level]) => `${PARAMETERS[component as TcbComponent]}=${level}`)
    .join('&');
