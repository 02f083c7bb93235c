/**
 * Claim: one row of the seeds' claims and what decides it. The rows: claims-seed<n>.ts; all of them: claims.ts.
 */

/** One line of `file`, without its indentation, that stands there exactly once; and what takes its place. */
export interface Break {
  readonly file: string;
  readonly line: string;
  readonly replacement: string;
}

export interface Decision {
  /** A test file, from the root. */
  readonly test: string;
  readonly title: string;
  readonly broken: Break;
  /** What decides the same in campaigns and proofs: `rule <id>`, `mutant <name>`, `prove <claim>`. */
  readonly also?: readonly string[];
}

interface Row {
  readonly id: string;
  readonly claim: string;
}

export interface DecidedClaim extends Row {
  readonly decidedBy: readonly Decision[];
}

/** Nothing that a run could show: why. */
export interface DocumentedClaim extends Row {
  readonly documentation: string;
}

export interface OpenClaim extends Row {
  readonly unbuilt: true;
}

export type Claim = DecidedClaim | DocumentedClaim | OpenClaim;

export function isDecidedClaim(c: Claim): c is DecidedClaim {
  return 'decidedBy' in c;
}

/** A break by file and line; the line is left out when nothing takes its place. */
export function line(file: string, text: string, replacement = ''): Break {
  return { file, line: text, replacement };
}

export function by(what: readonly [test: string, title: string], broken: Break, also: readonly string[] = []): Decision {
  return { test: what[0], title: what[1], broken, ...(also.length === 0 ? {} : { also }) };
}
