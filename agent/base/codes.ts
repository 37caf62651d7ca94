// The error catalogue: every code the product can raise, the exit code it maps to and whether a
// retry can help. docs/errors.md holds cause and remedy; a test compares both directions.

/** Process exit codes of every verb. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  notVerified: 3,
  malformed: 4,
  unreachable: 5,
  missing: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface CodeEntry {
  readonly exit: ExitCode;
  readonly retryable: boolean;
}

const code = (exit: ExitCode, retryable = false): CodeEntry => ({ exit, retryable });

export const CODES = {
  INTERNAL: code(EXIT.internal),
  USAGE: code(EXIT.usage),
  CONFIG_INVALID: code(EXIT.usage),
  INVENTORY_INVALID: code(EXIT.usage),
  POLICY_INVALID: code(EXIT.usage),
  OWNER_KEY_INVALID: code(EXIT.malformed),
  EVENTLOG_UNREADABLE: code(EXIT.missing),
  FILE_EXISTS: code(EXIT.usage),
  FILE_UNWRITABLE: code(EXIT.missing),
  FILE_UNREADABLE: code(EXIT.usage),
  REPORT_NOT_VERIFIED: code(EXIT.notVerified),
  REPORT_UNAVAILABLE: code(EXIT.notVerified, true),
  AGENT_RUNNING: code(EXIT.usage),
  AGENT_UNREACHABLE: code(EXIT.unreachable, true),
  AGENT_ANSWER_INVALID: code(EXIT.malformed),
  CONTROL_SOCKET_UNUSABLE: code(EXIT.missing),
  HEALTH_ADDRESS_UNUSABLE: code(EXIT.missing, true),
  DOCUMENT_MALFORMED: code(EXIT.malformed),
  SIGNATURE_INVALID: code(EXIT.notVerified),
  PROCESS_MISSING: code(EXIT.missing),
  PROCESS_FAILED: code(EXIT.internal),
  PROCESS_TIMEOUT: code(EXIT.internal, true),
  ATTESTATION_UNUSABLE: code(EXIT.notVerified, true),
  BUS_UNREACHABLE: code(EXIT.unreachable, true),
  BUS_DENIED: code(EXIT.usage, true),
  KUBE_UNREACHABLE: code(EXIT.unreachable, true),
  KUBE_DENIED: code(EXIT.usage, true),
  ROOT_REQUIRED: code(EXIT.missing),
  SETUP_UNSUPPORTED: code(EXIT.missing),
  SETUP_OFFLINE: code(EXIT.missing, true),
  SETUP_FAILED: code(EXIT.internal),
  SYSCALL_FAILED: code(EXIT.internal),
  NETNS_UNAVAILABLE: code(EXIT.missing, true),
  POD_PORT_IN_USE: code(EXIT.missing, true),
  LANE_PORT_IN_USE: code(EXIT.missing, true),
  REDIRECT_FAILED: code(EXIT.internal, true),
  REPLAY_SET_INVALID: code(EXIT.internal),
  CONTROL_MALFORMED: code(EXIT.malformed),
  DATA_PLANE_FAILED: code(EXIT.internal, true),
  DATA_PLANE_PRIVILEGED: code(EXIT.internal),
  PROBES_UNAVAILABLE: code(EXIT.missing, true),
  PROBES_FAILED: code(EXIT.internal, true),
  RIG_PREREQUISITE: code(EXIT.missing),
  RIG_PROGRAM: code(EXIT.internal),
  RIG_REMOVE: code(EXIT.internal, true),
  DEMO_INTERRUPTED: code(EXIT.internal, true),
  TPM_TCTI_REFUSED: code(EXIT.usage),
  TPM_UNREACHABLE: code(EXIT.unreachable, true),
  TPM_COMMAND: code(EXIT.internal),
  TPM_BANK_INACTIVE: code(EXIT.missing),
  TPM_EK_MISSING: code(EXIT.missing),
  TPM_AK_UNFIT: code(EXIT.usage),
  EVIDENCE_MALFORMED: code(EXIT.malformed),
  EVIDENCE_UNSTABLE: code(EXIT.internal, true),
  EVENTLOG_TOO_LARGE: code(EXIT.malformed),
  ENROLMENT_REFUSED: code(EXIT.notVerified),
  ENDORSEMENT_INVALID: code(EXIT.notVerified),
  REVOCATION_REFUSED: code(EXIT.notVerified),
  AGENT_STOPPING: code(EXIT.unreachable, true),
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof CODES;

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(CODES, text);
