/**
 * TableTwin: the flat map beside the library: what each call must return, what memory must hold afterwards (by a walk of its own), and which pages
 * were written. Rules api-result, translation-equivalence (memory says what was mapped) and dirty-tracking (no write is lost between two rounds of
 * read and clear).
 */
import { hex } from '../spec/bits.js';
import type { Memory } from '../memory/memory.js';
import { FlatMap } from '../reference/tables/flat-map.js';
import { flatten, newFlattened, type Flattened } from '../reference/tables/flatten.js';
import { DIRTY, firstDifference, type Leaf, type Leaves } from '../reference/tables/leaves.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import type { TableOperation, TableProt, TableResult, TableWorld } from '../stack/page-table.js';
import { frameAddress } from './machine-words.js';

const RESULT = ruleIndex('api-result');
const EQUIVALENCE = ruleIndex('translation-equivalence');
const DIRTY_RULE = ruleIndex('dirty-tracking');

/** Addresses in bytes; `pa` null: nothing is mapped there any more. */
export interface Mapping {
  readonly iova: number;
  readonly size: number;
  readonly pa: number | null;
  readonly prot: TableProt;
}

export class TableTwin {
  readonly #flat: FlatMap;
  readonly #world: TableWorld;
  readonly #ledger: Ledger;
  readonly #flattened: Flattened;
  /** When memory was last compared, and with which number of changes of the flat map. */
  #comparedAt = -1;
  #changes = 0;

  constructor(world: TableWorld, ledger: Ledger, startLevel: number) {
    this.#world = world;
    this.#ledger = ledger;
    this.#flat = new FlatMap(world.geometry, world.variant, startLevel);
    this.#flattened = newFlattened(world.geometry);
  }

  /** A write of the device succeeded. */
  written(iova: number): void {
    this.#flat.written(iova);
    this.#changes += 1;
  }

  lookup(iova: number): number {
    return this.#flat.lookup(iova);
  }

  /** What the call must have returned; what it changed by what it did return. `noMemory`: an allocation was refused meanwhile. */
  expect(op: TableOperation, result: TableResult, noMemory: boolean): { readonly text: string; readonly changes: readonly Mapping[] } {
    this.#flat.failNext = noMemory;
    const expected = this.#flat.perform(op);
    this.#flat.failNext = false;
    this.#changes += 1;
    this.#ledger.judgeAt(RESULT);
    const text = this.describe(op, expected);
    if (op.op === 'read-dirty' && this.#world.geometry.dirty) this.#judgeDirty(expected, result, op.clear);
    const said = this.describe(op, result);
    if (said !== text) this.#ledger.fail('api-result', `${op.op}: ${expected.code === result.code ? 'another size' : `${result.code} instead of ${expected.code}`}`, text, said);
    return { text, changes: changesOf(op, result) };
  }

  /** Written pages are reported in the next round that covers them. */
  #judgeDirty(expected: TableResult, result: TableResult, clear: boolean): void {
    const reported = result.dirty ?? [];
    for (const range of expected.dirty ?? []) {
      this.#ledger.judgeAt(DIRTY_RULE);
      if (reported.some((r) => r.iova <= range.iova && r.iova + r.size >= range.iova + range.size)) continue;
      this.#ledger.fail('dirty-tracking', 'a written page is not reported', `${hex(range.iova)} +${hex(range.size)} among the written ranges${clear ? ' of this round' : ''}: the device wrote to it since it was last marked clean`,
        reported.length === 0 ? 'nothing is reported' : reported.map((r) => `${hex(r.iova)} +${hex(r.size)}`).join(', '));
    }
  }

  /** As `ok 8K`, `exists after 4K`, `ok, written 0x4000 +0x1000`. */
  describe(op: TableOperation, r: TableResult): string {
    if (op.op === 'sync' || op.op === 'sync-map') return r.code;
    if (op.op === 'read-dirty') return `${r.code}, written ${(r.dirty ?? []).map((d) => `${hex(d.iova)} +${hex(d.size)}`).join(', ') || 'nothing'}`;
    return r.code === 'ok' ? `ok ${hex(r.bytes)}` : r.bytes === 0 ? r.code : `${r.code} after ${hex(r.bytes)}`;
  }

  /** Memory, walked by the reference, holds what the flat map says. All stores are visible. */
  compare(memory: Memory, rootFrame: number, tell: (frame: number) => readonly string[]): void {
    const at = memory.journal.clock.now + this.#changes;
    if (at === this.#comparedAt) return;
    this.#comparedAt = at;
    this.#ledger.judgeAt(EQUIVALENCE);
    const found = flatten(memory, { geometry: this.#world.geometry, startLevel: this.#flat.startLevel, frame: rootFrame }, this.#flattened);
    if (found.faults[0] !== undefined) this.#ledger.fail('translation-equivalence', 'a table that the architecture does not allow', 'legal descriptors, whole runs, aligned tables', found.faults.join('; '));
    const i = firstDifference(this.#flat.leaves, found.leaves);
    if (i < 0) return;
    const wanted = leafAt(this.#flat.leaves, i);
    const stands = leafAt(found.leaves, i);
    const frame = Math.floor(Math.min(wanted?.iova ?? Infinity, stands?.iova ?? Infinity) / 4096);
    const lost = wanted !== null && stands !== null && wanted.iova === stands.iova && wanted.pa === stands.pa && wanted.dirty !== stands.dirty;
    if (lost && (this.#flat.leaves.info[i] as number) === ((found.leaves.info[i] as number) ^ DIRTY)) {
      this.#ledger.judgeAt(DIRTY_RULE);
      this.#ledger.fail('dirty-tracking', wanted.dirty ? 'a write that left no mark' : 'a page is marked written that nobody wrote', leafText(wanted), leafText(stands), undefined, tell(frame));
    }
    this.#ledger.fail('translation-equivalence', difference(wanted, stands), leafText(wanted), leafText(stands), undefined, tell(frame));
  }
}

function leafAt(leaves: Leaves, i: number): Leaf | null {
  return i < leaves.length ? leaves.at(i) : null;
}

/** A stable name of what is wrong. */
function difference(wanted: Leaf | null, stands: Leaf | null): string {
  if (stands === null || (wanted !== null && wanted.iova < stands.iova)) return 'memory lacks a leaf';
  if (wanted === null || stands.iova < wanted.iova) return 'memory has a leaf that nobody mapped';
  if (wanted.pa !== stands.pa) return 'memory has another output address';
  return wanted.level === stands.level ? 'memory has other attributes' : 'memory has a leaf of another size';
}

function leafText(leaf: Leaf | null): string {
  if (leaf === null) return 'nothing more is mapped';
  const marks = [leaf.prot, ...(leaf.contiguous ? ['contiguous'] : []), ...(leaf.dirty ? ['written'] : [])];
  return `${frameAddress(leaf.iova / 4096)} -> ${frameAddress(leaf.pa / 4096)} level ${leaf.level} ${marks.join(' ')}`;
}

/** What a call changed, by what it returned. */
function changesOf(op: TableOperation, result: TableResult): Mapping[] {
  if (result.bytes <= 0) return [];
  if (op.op === 'unmap') return [{ iova: op.iova, size: result.bytes, pa: null, prot: 'none' }];
  if (op.op === 'map') return [{ iova: op.iova, size: result.bytes, pa: op.pa, prot: op.prot }];
  if (op.op !== 'map-sg') return [];
  const out: Mapping[] = [];
  let done = 0;
  for (const p of op.pieces) {
    const size = Math.min(p.size, result.bytes - done);
    if (size <= 0) break;
    out.push({ iova: op.iova + done, size, pa: p.pa, prot: op.prot });
    done += size;
  }
  return out;
}
