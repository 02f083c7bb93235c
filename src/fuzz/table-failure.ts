/**
 * Table failure: one violation of a table sequence, shrunk and explained, as one record from which every report is made. The explanation names the
 * table: its geometry, the index and the entry; then what the commands since did to what is cached, or which clean is missing.
 */
import { Log } from '../lockstep/log.js';
import { replayTables } from '../lockstep/table-replay.js';
import type { Row } from '../lockstep/replay.js';
import { tableCaseId, type TableCase } from '../operations/table-case.js';
import type { TableOperation, TableWorld } from '../stack/page-table.js';
import type { Violation } from '../stack/violation.js';
import type { FailureRecord, Origin } from './failure.js';
import type { TableCandidate } from './table-shrink.js';

export interface TableFailureRecord extends Pick<FailureRecord, 'id' | 'violation' | 'explanation' | 'shrunk' | 'file' | 'fullFile' | 'mutant' | 'origin'> {
  readonly kind: 'tables';
  readonly world: TableWorld;
  readonly operations: readonly TableOperation[];
  readonly rows: readonly Row<TableOperation>[];
}

/** Where the failing sequence comes from, and with which mutant. */
export interface TableSource {
  readonly mutant: string | null;
  readonly origin: Origin | null;
  /** The case that is shrunk: what it expects, and where it is from, stays. */
  readonly like?: Pick<TableCase, 'expect' | 'provenance'>;
}

/** The stored form. `expect` is what a right library shows: no violation, unless the case at hand was stored with another expectation. */
export function tableFailureCase(c: TableCandidate, violation: Violation, { mutant, origin, like }: TableSource): TableCase {
  return {
    schema: 1, kind: 'tables', world: c.world, subject: { parts: {}, ...(mutant === null ? {} : { mutant }) }, operations: c.operations, expect: like?.expect ?? { verdict: 'ok' },
    provenance: { ...like?.provenance, rule: violation.rule, cause: violation.cause, ...(origin === null ? {} : { seed: origin.seed, run: origin.run, profile: origin.profile }) },
  };
}

export function tableFailureRecord(c: TableCandidate, violation: Violation, source: TableSource, rest: Pick<TableFailureRecord, 'shrunk' | 'file' | 'fullFile'>): TableFailureRecord {
  const { mutant } = source;
  const again = replayTables(c.world, c.operations, { log: new Log(), ...(mutant === null ? {} : { mutant }) }, true);
  const story = again.violation?.because ?? violation.because;
  return {
    kind: 'tables', id: tableCaseId(tableFailureCase(c, violation, source)), world: c.world, operations: c.operations, violation, mutant, origin: source.origin,
    explanation: { because: again.violation === null ? ['the failure did not happen again: not deterministic'] : story, verified: null, tried: 0 }, rows: again.rows, ...rest,
  };
}
