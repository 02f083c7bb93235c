/**
 * Verb: what main.ts needs of each verb's file.
 */
import type { ExitCode } from './exit.js';
import type { Parsed, VerbSpec } from './options.js';
import type { Output } from './output.js';

export interface Verb {
  readonly spec: VerbSpec;
  run(p: Parsed, out: Output): ExitCode | Promise<ExitCode>;
}
