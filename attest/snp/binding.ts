// Whether a report and the certificate of its signing key speak of the same processor and the same TCB,
// and whether the TCBs of the report are in an order that firmware can produce.
import { hex } from '#agent/base/bytes.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { productOfCpu } from './product.ts';
import { isZero, type SnpReport } from './report.ts';
import { hasUnknownTcb, readTcb, shortfalls, tcbText } from './tcb.ts';
import type { Vek } from './vek.ts';

/** Compares `report` with what AMD certified of its key. */
export const bindingChecks = (report: SnpReport, vek: Vek): Check[] => [
  about('hardware', productCheck(report, vek)),
  about('instance-identity', chipCheck(report, vek)),
  about('hardware', certifiedTcb(report, vek)),
  about('hardware', tcbOrder(report, vek)),
];

function productCheck({ cpu, version }: SnpReport, vek: Vek): Check {
  const name = 'product';
  if (cpu === undefined) {
    return notChecked(
      name,
      `Reports of version ${version} do not name the processor; its key is of a ${vek.productName}.`,
    );
  }
  const words = `family 0x${cpu.family.toString(16)}, model 0x${cpu.model.toString(16)}, stepping ${cpu.stepping}`;
  const product = productOfCpu(cpu);
  return product === vek.product
    ? pass(name, `The processor is a ${product}: ${words}.`)
    : fail(
        name,
        `The processor is ${product ?? 'of no known product'} (${words}), its key of a ${vek.productName}.`,
      );
}

function chipCheck({ chipId }: SnpReport, { kind, hwid }: Vek): Check {
  const name = 'chip';
  if (hwid === undefined) {
    return notChecked(
      name,
      `A ${kind} belongs to a cloud provider, not to one chip: which machine it was is not known.`,
    );
  }
  if (isZero(chipId)) {
    return notChecked(
      name,
      'The host hides the chip id: that the key is of this very chip rests on the signature alone.',
    );
  }
  const certified = Buffer.alloc(chipId.length);
  hwid.copy(certified);
  return certified.equals(chipId)
    ? pass(name, `The key is certified for this chip, ${hex(hwid).slice(0, 16)}..`)
    : fail(
        name,
        `The report is of chip ${hex(chipId).slice(0, 16)}.., the certificate of chip ${hex(hwid).slice(0, 16)}..: get the certificate of this chip.`,
      );
}

function certifiedTcb({ reportedTcb }: SnpReport, { product, rawTcb, tcb, kind }: Vek): Check {
  const name = 'certified TCB';
  const reported = tcbText(readTcb(reportedTcb, product));
  return rawTcb.equals(reportedTcb)
    ? pass(name, `The ${kind} is certified for the reported TCB: ${reported}.`)
    : fail(
        name,
        `The report is of TCB ${reported}, the ${kind} is certified for ${tcbText(tcb)}: get the certificate of the reported TCB.`,
      );
}

/**
 * The reported TCB may be below the committed one, never above the current; what is committed is not
 * above what runs (AMD 56860, SNP_CONFIG and SNP_COMMIT).
 */
function tcbOrder(report: SnpReport, { product }: Vek): Check {
  const name = 'TCB order';
  const raw = [report.currentTcb, report.reportedTcb, report.committedTcb, report.launchTcb];
  if (raw.some((each) => hasUnknownTcb(each, product))) {
    return fail(name, `A TCB of the report sets bytes that ${product} reserves.`);
  }
  const current = readTcb(report.currentTcb, product);
  for (const [words, below] of [
    ['reported', report.reportedTcb],
    ['committed', report.committedTcb],
  ] as const) {
    const short = shortfalls(current, readTcb(below, product));
    if (short.length > 0) {
      const names = short.map(({ component }) => component).join(', ');
      return fail(
        name,
        `The current TCB, ${tcbText(current)}, is below the ${words} one in ${names}: firmware never writes that.`,
      );
    }
  }
  return pass(
    name,
    `The current TCB, ${tcbText(current)}, is not below the reported and the committed one.`,
  );
}
