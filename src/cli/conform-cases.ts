/** Stored machine sequences run on QEMU: what is permitted, what the optimised machine and what QEMU answers to each operation, and the verdict. */
import { notForQemu, replayOnQemu, type OnQemu } from '../conform/judge.js';
import { waiversFor } from '../conform/deviations.js';
import type { Waiver } from '../conform/waivers.js';
import { machineFailureRecord } from '../fuzz/machine-failure.js';
import type { MachineCase } from '../operations/machine-case.js';
import type { Pool } from '../qemu/pool.js';
import { conformReplayBlock, conformReplayJson, type ConformReplaySummary } from '../report/conform.js';
import { failureBlock } from '../report/failure.js';
import type { FailureLine } from '../report/fuzz.js';
import { describeMachineOperation } from '../report/machine-operations.js';
import { operationTable } from '../report/operations.js';
import { counted, visible } from '../report/words.js';
import { caseFiles, isDirectory, readCase, type NamedCase } from './cases.js';
import { aboutQemu, otherOf, waivedLines } from './conform-session.js';
import { EXIT, UsageError, worst, type ExitCode } from './exit.js';
import { machineLine } from './machine-found.js';
import { now, type Output } from './output.js';

interface Listed extends NamedCase {
  readonly case: MachineCase;
  /** The user named it, and not only its directory. */
  readonly named: boolean;
}

/** The machine cases that operands stand for; one that is named must be one. */
export function machineCases(operands: readonly string[]): Listed[] {
  const found: Listed[] = [];
  for (const operand of operands) {
    const folder = isDirectory(operand);
    const before = found.length;
    for (const file of folder ? caseFiles(operand) : [operand]) {
      const c = readCase(file);
      if (c.case.kind === 'machine') found.push({ ...c, case: c.case, named: !folder });
      else if (!folder) throw new UsageError(`${file}: a case of the driver, but QEMU runs raw machine sequences`);
    }
    if (found.length === before) throw new UsageError(`${operand}: no machine case in it`);
  }
  return found;
}

/** Runs them all. */
export class CaseRunner {
  readonly #pool: Pool;
  readonly #waivers: readonly Waiver[];
  readonly #waived: boolean;
  readonly #out: Output;
  readonly #failures: FailureLine[] = [];
  readonly #undecided: string[] = [];
  readonly #met: Record<string, number> = {};
  readonly #notAsked: Record<string, number> = {};
  #operations = 0;
  #asked = 0;

  constructor(pool: Pool, waived: boolean, out: Output) {
    this.#pool = pool;
    this.#waived = waived;
    this.#waivers = waived ? waiversFor(pool.binary.version) : [];
    this.#out = out;
  }

  run(cases: readonly Listed[]): ExitCode {
    const start = now();
    const qemu = aboutQemu(this.#pool);
    for (const c of cases) this.#one(c);
    const verdict = this.#failures.length > 0 ? 'violation' : this.#undecided.length > 0 ? 'inconclusive' : 'ok';
    const summary: ConformReplaySummary = {
      verdict, qemu, cases: cases.length, operations: this.#operations, accesses: this.#asked, notAsked: this.#notAsked,
      waived: waivedLines(this.#waivers, this.#met), failures: this.#failures, undecided: this.#undecided, elapsedMs: now() - start,
    };
    this.#out.print(conformReplayBlock(summary));
    this.#out.document(conformReplayJson(summary));
    return worst([this.#failures.length > 0 ? EXIT.violation : EXIT.ok, this.#undecided.length > 0 ? EXIT.inconclusive : EXIT.ok]);
  }

  #one(c: Listed): void {
    const unfit = notForQemu(c.case);
    if (unfit !== null) {
      this.#undecided.push(`${c.file}: ${unfit}`);
      return;
    }
    const done = replayOnQemu(this.#pool, this.#waivers, c.case);
    this.#operations += done.rows.length;
    this.#asked += done.asked;
    for (const [why, n] of Object.entries(done.notAsked)) this.#notAsked[why] = (this.#notAsked[why] ?? 0) + n;
    if (done.unmodelled !== null) this.#undecided.push(`${c.file}: not modelled: ${done.unmodelled}`);
    else if (done.violation === null && done.asked === 0) this.#undecided.push(`${c.file}: no access in it could be asked of QEMU`);
    for (const { id } of done.waived ?? []) this.#met[id] = (this.#met[id] ?? 0) + 1;
    if (c.named || (done.violation !== null && done.waived === null)) this.#show(c, done);
  }

  #show(c: Listed, done: OnQemu): void {
    const changed = done.changed.length === 0 ? [] : [`  features   of this QEMU; the case was made for another SMMU: ${done.changed.join(', ')}`];
    this.#out.print([`case ${c.id}  ${visible(c.file)}`, ...changed].join('\n'));
    if (done.violation !== null && done.waived === null) {
      const other = otherOf(this.#pool, this.#waivers, this.#waived);
      const failing = { world: done.world, operations: c.case.operations };
      const record = machineFailureRecord(failing, done.violation, null, { shrunk: null, file: c.file, fullFile: null, elsewhere: { ...other.about, known: other.known(failing, done.violation) }, twins: other.twins(c.case.operations) });
      this.#failures.push(machineLine(record));
      this.#out.print(`${failureBlock(record, { program: this.#out.program, whole: true })}\n`);
      return;
    }
    const marks = new Map((done.waived ?? []).length > 0 ? [[done.rows.length - 1, '<-- waived']] : []);
    const rows = done.rows.map((r) => ({ ...r, differs: false }));
    this.#out.print(operationTable(rows, { outside: null, marks, describe: describeMachineOperation, other: 'QEMU' }).join('\n'));
    for (const w of done.waived ?? []) this.#out.print(`  waived     ${w.id}: ${w.behaviour} (${w.clause})`);
    this.#out.print(`  compared   ${counted(done.asked, 'access', 'accesses')}\n`);
  }
}
