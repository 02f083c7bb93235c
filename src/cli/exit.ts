/**
 * Exit codes, which one wins when several apply, and the errors that a user can cause.
 */

export const EXIT = {
  ok: 0, violation: 1, inconclusive: 2, nondeterministic: 3, regressed: 4, gate: 5, usage: 64, internal: 70, interrupted: 130, terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The first of these that applies wins. An interruption outranks only what a whole run would still have to decide. */
const PRECEDENCE: readonly ExitCode[] = [
  EXIT.internal, EXIT.usage, EXIT.violation, EXIT.regressed, EXIT.nondeterministic, EXIT.gate,
  EXIT.interrupted, EXIT.terminated, EXIT.inconclusive,
];

export function worst(codes: readonly ExitCode[]): ExitCode {
  return PRECEDENCE.find((code) => codes.includes(code)) ?? EXIT.ok;
}

/** The question cannot be answered here, through nobody's fault: exit 2. The message is one sentence. */
export class Inconclusive extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Inconclusive';
  }
}

/** Wrong usage or unreadable input: exit 64. The message is one sentence. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
