/**
 * Operations and worlds in words, and the table that shows both sides of every operation. Pure functions.
 */
import type { Row } from '../lockstep/replay.js';
import type { Operation } from '../stack/operation.js';
import type { World } from '../stack/world.js';
import { bytes, columns } from './words.js';

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

function operands(op: Operation): string {
  switch (op.op) {
    case 'map': return `domain ${op.domain}  ${hex(op.iova)} -> ${hex(op.pa)} +${bytes(op.size)} ${op.prot}`;
    case 'unmap': case 'iova-alloc': case 'iova-free': return `domain ${op.domain}  ${hex(op.iova)} +${bytes(op.size)}`;
    case 'sync': case 'flush-all': return `domain ${op.domain}`;
    case 'attach': return `device ${op.device} to ${typeof op.to === 'number' ? `domain ${op.to}` : op.to}`;
    case 'detach': return `device ${op.device}`;
    case 'access': return `device ${op.device}${op.stream === 0 ? '' : ` stream ${op.stream}`}  ${hex(op.iova)} ${op.write ? 'write' : 'read'}`;
    case 'fail-next-allocation': return '';
    case 'evict': return `dirty line ${op.line}`;
  }
}

/** One operation, as `unmap  domain 0  0x4000 +8K`. `width`: of the column of kinds. */
export function describeOperation(op: Operation, width = 0): string {
  return `${op.op.padEnd(width)}  ${operands(op)}`.trimEnd();
}

/** A world in two or three lines. */
export function describeWorld(world: World): string[] {
  const smmus = world.smmus.map((s, i) => `SMMU ${i}: ${s.range ? (s.ds === true ? 'range with DS' : 'range') : 'no range'}, ${s.asidBits}-bit asids 1..${s.asidMax}, `
    + `queue of ${2 ** s.queueLog2}, event queue of ${2 ** s.eventLog2}, TLB of ${s.tlbEntries}${s.forceSync === true ? ', at most 63 commands between SYNCs' : ''}${s.coherent === false ? ', not coherent' : ''}`);
  const devices = world.devices.map((d, i) => `device ${i} -> SMMU ${d.smmu} stream${d.streams.length === 1 ? '' : 's'} ${d.streams.join(', ')}`);
  const domains = world.domains.map((d, i) => `domain ${i} ${d.mode}${d.managed && d.mode === 'strict' ? ' managed' : ''}${d.gather === undefined ? '' : ` gather ${d.gather}`}${d.coherent === false ? ' cleaned' : ''}`);
  const rest = `${world.inputBits}-bit input, flush queue of ${world.flushQueue}, stores drain ${world.storeOrder}${world.planner === undefined ? '' : `, planner ${world.planner}`}${world.cleaner === undefined ? '' : `, cleaner ${world.cleaner}`}`
    + (world.eviction === undefined ? '' : `, a dirty line written back every ${world.eviction.oneIn} stores (seed ${world.eviction.seed})`);
  return [...smmus, devices.length === 0 ? 'no device' : devices.join('; '), `${domains.length === 0 ? 'no domain' : domains.join(', ')}; ${rest}`];
}

/** Longest text of a differing cell that is shown in the table; a longer one refers to the lines above it. */
const CELL = 26;
/** Rows that are shown without leaving any out; of more, so many at the end. */
export const ROWS_SHOWN = 30;

export interface TableOptions<O = Operation> {
  /** The row for what broke outside of any operation. */
  readonly outside: string | null;
  /** The last so many rows only; all of them when missing. */
  readonly last?: number;
  /** Mark for a row, by its index: what a recording says, and the like. */
  readonly marks?: ReadonlyMap<number, string>;
  /** Words for an operation; those of the driver's operations when missing. */
  readonly describe?: (op: O, width: number) => string;
  /** Of the machine in the optimised one's place; then the optimised one has a column as well, and the reference's shows all that is permitted. */
  readonly other?: string;
}

/** Both sides of every operation in columns; the differing row is marked once. */
export function operationTable<O extends { readonly op: string } = Operation>(rows: readonly Row<O>[], options: TableOptions<O>): string[] {
  const describe = options.describe ?? ((op: O, width: number) => describeOperation(op as unknown as Operation, width));
  const from = options.last === undefined || rows.length <= options.last ? 0 : rows.length - options.last;
  const kinds = Math.max(0, ...rows.slice(from).map((r) => r.operation.op.length));
  const { other } = options;
  const three = (row: Row<O>): string[] => (other === undefined ? [] : [row.beside ?? (row.differs ? '' : row.optimised)]);
  const cells: string[][] = [['#', 'op', ...(other === undefined ? ['ref', 'opt'] : ['permitted', 'opt', other]), '']];
  rows.slice(from).forEach((row, i) => {
    const mark = options.marks?.get(from + i);
    cells.push([
      String(from + i + 1), describe(row.operation, kinds),
      row.differs ? cell(row.reference, '(expected)') : row.reference, ...three(row).map((text) => cell(text, '(actual)')), row.differs ? cell(row.optimised, '(actual)') : row.optimised,
      row.differs ? '<-- differs' : (mark ?? ''),
    ]);
  });
  if (options.outside !== null) cells.push(['', `(${options.outside})`, '(expected)', ...(other === undefined ? [] : ['']), '(actual)', '<-- differs']);
  const lines = columns(cells, [0]).map((line) => `  ${line}`);
  if (from > 0) lines.splice(1, 0, `  … ${from} operations before these`);
  return lines;
}

function cell(text: string, above: string): string {
  return text.length <= CELL ? text : above;
}
