// How a platform stands against what Intel asks of it: TCB level, TDX module and quoting enclave, each
// status by itself and all of them together. It looks only at collateral whose signature holds.
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import type { EnclaveReport } from './enclaveReport.ts';
import { dateCheck, issuedCheck, type IssueQuestion } from './issued.ts';
import type { PckPlatform } from './pck.ts';
import { departures, parseQeIdentity, type QeIdentity } from './qeIdentity.ts';
import {
  moduleOf,
  moduleSvn,
  moduleVersion,
  parseTcbInfo,
  reachedLevel,
  reachedSvn,
  shortfalls,
  type PlatformTcb,
  type TcbInfo,
} from './tcbInfo.ts';
import { ceilingOf, converge, remedyOf, type TcbStatus } from './tcbStatus.ts';
import type { TdReport } from './tdReport.ts';

export interface TcbQuestion extends IssueQuestion {
  readonly report: TdReport;
  readonly enclave: EnclaveReport;
  readonly platform: PckPlatform;
  /** Statuses that the owners accept. */
  readonly accepted: readonly TcbStatus[];
  /** TCB info and QE identity of an earlier evaluation than this are refused. */
  readonly minEvaluation: number;
}

/** What collateral says of the platform; null: judged, and no level is reached. */
export interface TcbStanding {
  /** All of them together. */
  readonly status: TcbStatus | null;
  /** When Intel published what the level has. */
  readonly date: string | undefined;
  readonly advisories: readonly string[];
  readonly evaluation: number;
  readonly moduleStatus: TcbStatus | null | undefined;
  readonly qeStatus: TcbStatus | null | undefined;
}

export interface TcbAnswer {
  readonly checks: readonly Check[];
  /** Absent where no TCB info could be used. */
  readonly standing: TcbStanding | undefined;
}

/** Judges a platform by TCB info and QE identity (PCS API v4, "Determining the TCB status"). */
export function tcbChecks(question: TcbQuestion): TcbAnswer {
  const enclave = enclaveAnswer(question);
  const platform = platformAnswer(question);
  const { info, level, module } = platform;
  const checks = [...platform.checks, ...enclave.checks];
  if (info === undefined) return { checks: concerned(checks), standing: undefined };
  const parts = [level, module, enclave.status].filter((part) => part !== undefined);
  const reached = parts.filter((part) => part !== null);
  const status =
    reached.length === parts.length ? converge(reached.map(({ tcbStatus }) => tcbStatus)) : null;
  const advisories = [...new Set(reached.flatMap(({ advisoryIDs }) => advisoryIDs))].sort();
  checks.push(statusCheck(status, advisories, question.accepted));
  return {
    checks: concerned(checks),
    standing: {
      status,
      date: level?.tcbDate,
      advisories,
      evaluation: info.tcbEvaluationDataNumber,
      moduleStatus: module === null ? null : module?.tcbStatus,
      qeStatus: enclave.status === null ? null : enclave.status?.tcbStatus,
    },
  };
}

const concerned = (checks: readonly Check[]): Check[] =>
  checks.map((check) => about('hardware', check));

/** What a reached level of any kind says. */
interface Reached {
  readonly tcbDate: string;
  readonly tcbStatus: TcbStatus;
  readonly advisoryIDs: readonly string[];
}

interface PlatformAnswer {
  readonly checks: Check[];
  readonly info?: TcbInfo;
  readonly level?: Reached | null | undefined;
  readonly module?: Reached | null | undefined;
}

function platformAnswer(question: TcbQuestion): PlatformAnswer {
  const { collateral, atMs, report, platform, minEvaluation } = question;
  if (collateral.tcbInfo === undefined) {
    const text =
      'No TCB info was given: whether microcode, firmware and TDX module are up to date is not known. Give it with --collateral.';
    return { checks: [notChecked('TCB info', text, 'warning')] };
  }
  const issued = issuedCheck('TCB info signature', collateral.tcbInfo, question);
  if (issued.result !== 'pass') return { checks: [issued] };
  const info = parseTcbInfo(collateral.tcbInfo.text);
  if ('otherKind' in info) {
    const text = `The TCB info is ${info.otherKind}, not TDX version 3. Fetch that of /tdx/certification/v4/tcb.`;
    return { checks: [issued, fail('TCB info kind', text)] };
  }
  const checks = [
    issued,
    dateCheck('TCB info date', info, atMs),
    evaluationCheck('TCB evaluation', info, minEvaluation),
  ];
  if (info.fmspc !== platform.fmspc || info.pceId !== platform.pceId) {
    const text = `The TCB info is for FMSPC ${info.fmspc}, PCE ${info.pceId}, the processor is ${platform.fmspc}, PCE ${platform.pceId}: it says nothing of it. Fetch that of ${platform.fmspc}.`;
    return { checks: [...checks, fail('FMSPC', text)] };
  }
  checks.push(pass('FMSPC', `The TCB info is for this kind of processor, ${info.fmspc}.`));
  const level = levelAnswer(info, { pck: platform, teeTcbSvn: report.teeTcbSvn });
  const module = moduleAnswer(info, report);
  return {
    checks: [...checks, level.check, module.check],
    info,
    level: level.status,
    module: module.status,
  };
}

const evaluationCheck = (
  name: string,
  { tcbEvaluationDataNumber: number }: Pick<TcbInfo, 'tcbEvaluationDataNumber'>,
  needed: number,
): Check =>
  number >= needed
    ? pass(name, `TCB evaluation data number ${number}.`)
    : fail(
        name,
        `TCB evaluation data number ${number}, the policy needs ${needed}: fetch it anew.`,
      );

interface PartAnswer {
  readonly check: Check;
  /** Undefined: the part has no status of its own. */
  readonly status: Reached | null | undefined;
}

function levelAnswer(info: TcbInfo, platform: PlatformTcb): PartAnswer {
  const name = 'TCB level';
  const level = reachedLevel(info, platform);
  const [newest] = info.tcbLevels;
  const missing = newest === undefined ? [] : shortfalls(newest, platform);
  if (level === undefined) {
    return {
      check: fail(name, `The platform reaches no TCB level. ${missing.join('; ')}.`),
      status: null,
    };
  }
  // The SVN at index 1 says by which rules the TDX components are read (PCS API v4, step 4).
  const versions = [level.tcb.tdxtcbcomponents[1]?.svn, platform.teeTcbSvn[1]];
  if (versions[1] === 0 && versions[0] !== 0) {
    const text = `The TCB info is for TDX module version ${versions[0]}, the module has ${versions[1]}: it does not support this platform.`;
    return { check: fail(name, text), status: null };
  }
  const reached = `Level ${level.tcbStatus} of ${level.tcbDate}`;
  const behind = missing.length === 0 ? '' : ` Short of the newest: ${missing.join('; ')}.`;
  return {
    check: pass(name, `${reached}.${behind}`),
    status: level,
  };
}

function moduleAnswer(info: TcbInfo, report: TdReport): PartAnswer {
  const name = 'TDX module';
  const answer = moduleOf(info, report);
  if (!answer.known) {
    return {
      check: fail(name, `Not a module of Intel’s that the TCB info knows: ${answer.why}.`),
      status: null,
    };
  }
  const { identity } = answer;
  if (identity === undefined) {
    return {
      check: pass(name, 'A module of TDX 1.0, which the TCB level judges.'),
      status: undefined,
    };
  }
  const svn = moduleSvn(report.teeTcbSvn);
  const needed = identity.tcbLevels[0]?.tcb.isvsvn ?? 0;
  const short =
    svn < needed ? ` Its SVN is ${svn}, needs ${needed}: ${moduleRemedy(report, needed)}.` : '';
  const level = reachedSvn(identity.tcbLevels, svn);
  return level === undefined
    ? { check: fail(name, `${identity.id} reaches no level.${short}`), status: null }
    : {
        check: pass(name, `${identity.id} SVN ${svn} is ${level.tcbStatus}.${short}`),
        status: level,
      };
}

/** From TDX 1.5 on the host can change the module under a running domain, which keeps the old SVN. */
function moduleRemedy({ teeTcbSvn, later }: TdReport, needed: number): string {
  const now = later?.teeTcbSvn2 ?? teeTcbSvn;
  const isThere = moduleVersion(now) === moduleVersion(teeTcbSvn) && moduleSvn(now) >= needed;
  return isThere
    ? `the host runs SVN ${moduleSvn(now)} by now, start the domain again`
    : 'update the TDX module of the host';
}

interface EnclaveAnswer {
  readonly checks: Check[];
  readonly status?: Reached | null | undefined;
}

function enclaveAnswer(question: TcbQuestion): EnclaveAnswer {
  const { collateral, atMs, enclave, minEvaluation } = question;
  if (collateral.qeIdentity === undefined) {
    const text =
      'No QE identity was given: whether the quoting enclave is Intel’s newest is not known. Give it with --collateral.';
    return { checks: [notChecked('QE identity', text, 'warning')] };
  }
  const issued = issuedCheck('QE identity signature', collateral.qeIdentity, question);
  if (issued.result !== 'pass') return { checks: [issued] };
  const identity = parseQeIdentity(collateral.qeIdentity.text);
  const checks = [
    issued,
    dateCheck('QE identity date', identity, atMs),
    evaluationCheck('QE identity evaluation', identity, minEvaluation),
  ];
  const { check, status } = enclaveLevel(identity, enclave);
  return { checks: [...checks, check], status };
}

function enclaveLevel(identity: QeIdentity, enclave: EnclaveReport): PartAnswer {
  const name = 'quoting enclave';
  const differing = departures(identity, enclave);
  if (differing.length > 0) {
    const text = `Not the enclave that the QE identity is for: ${differing.join('; ')}.`;
    return { check: fail(name, text), status: null };
  }
  const level = reachedSvn(identity.tcbLevels, enclave.isvSvn);
  const needed = identity.tcbLevels[0]?.tcb.isvsvn ?? 0;
  const short =
    enclave.isvSvn < needed
      ? ` Its SVN is ${enclave.isvSvn}, needs ${needed}: update the SGX packages of the host.`
      : '';
  return level === undefined
    ? { check: fail(name, `It reaches no level.${short}`), status: null }
    : { check: pass(name, `SVN ${enclave.isvSvn} is ${level.tcbStatus}.${short}`), status: level };
}

function statusCheck(
  status: TcbStatus | null,
  advisories: readonly string[],
  accepted: readonly TcbStatus[],
): Check {
  const name = 'TCB status';
  if (status === null) {
    return fail(name, 'Unsupported: a part of the platform reaches no level. Update the host.');
  }
  const ceiling = ceilingOf(status, accepted);
  const open = advisories.length === 0 ? '' : ` Open: ${advisories.join(', ')}.`;
  if (status === 'UpToDate') return pass(name, `UpToDate.${open}`);
  if (accepted.includes(status)) {
    return { ...pass(name, `${status}, which the policy accepts.${open}`), ceiling };
  }
  return fail(name, `${status}: ${remedyOf(status)}.${open}`, ceiling);
}
