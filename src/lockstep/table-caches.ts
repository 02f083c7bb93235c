/**
 * TableCaches: rules about walkers that do not see the CPU's cache (IHI 0070 §3.15, IDR0.COHACC = 0; seed 2). `publication`: at the moment a pointer to
 * a table leaves the store buffer, no line of that table may still show the walker what stood in the page before, because the line with the
 * pointer may be written back at any time. `clean-bound`: a call cleans the lines that it wrote, and its new tables once. `table-coherency`: the way
 * to each page of a range is for the walker what it is for the CPU.
 */
import { POW2 } from '../spec/bits.js';
import { descriptorKind, TABLE, tableAddress } from '../spec/descriptor.js';
import type { TableContext } from '../spec/tables.js';
import { WORDS_PER_FRAME, type Memory } from '../memory/memory.js';
import { LINE_WORDS, LINES_PER_FRAME, type ViewListener, type WalkerView } from '../memory/walker-view.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import { frameAddress } from './machine-words.js';
import { entryName, newEnd, sameForWalkers, walkPath } from './table-path.js';

const PUBLICATION = ruleIndex('publication');
const COHERENCY = ruleIndex('table-coherency');
const BOUND = ruleIndex('clean-bound');

export class TableCaches implements ViewListener {
  readonly #cpu: Memory;
  readonly #view: WalkerView;
  readonly #ledger: Ledger;
  #context: TableContext | null = null;
  /** Level of the entries of a table page, by slot. */
  readonly #levels = new Map<number, number>();
  readonly #lines = new Set<number>();
  #tableLines = 0;
  /** Tables that were installed or taken out: the line of each pointer is cleaned then, even where several share it. */
  #pointers = 0;
  /** Leaves were written over table pointers: they are cleaned at once, and a cleaner that puts leaves off will clean them again. */
  #replaced = false;
  #before = 0;
  readonly #end = newEnd();

  constructor(cpu: Memory, view: WalkerView, ledger: Ledger) {
    this.#cpu = cpu;
    this.#view = view;
    this.#ledger = ledger;
    view.listener = this;
  }

  /** The table is there: `rootFrames` pages of root. */
  opened(context: TableContext, rootFrames: number): void {
    this.#context = context;
    const slot = this.#cpu.slotOf(context.rootFrame);
    for (let i = 0; i < rootFrames; i += 1) this.#levels.set(slot + i, context.startLevel);
    this.#ledger.judgeAt(PUBLICATION);
    let ghost = -1; // a short root ends within its page
    for (let i = 0; ghost < 0 && i < context.rootEntries; i += LINE_WORDS) if (this.#view.isGhost(slot * WORDS_PER_FRAME + i)) ghost = slot * WORDS_PER_FRAME + i;
    if (ghost >= 0) this.#fail('the root is not clean before a stream uses it', `word ${ghost % WORDS_PER_FRAME} of the root at ${frameAddress(context.rootFrame)}`);
  }

  allocated(slot: number): void {
    this.#levels.delete(slot);
    this.#tableLines += LINES_PER_FRAME;
  }

  /** ViewListener: a store to a table page left the store buffer; its line is dirty. */
  stored(ref: number, oldLo: number, oldHi: number): void {
    this.#lines.add(Math.floor(ref / LINE_WORDS));
    const c = this.#context;
    const level = this.#levels.get(Math.floor(ref / WORDS_PER_FRAME));
    if (c === null || level === undefined || level === 3) return;
    const lo = this.#cpu.lo[ref] as number;
    const hi = this.#cpu.hi[ref] as number;
    const was = descriptorKind(oldLo, level, c.tg, c.ds, c.wide) === TABLE ? tableAddress(oldLo, oldHi, c) : -1;
    if (descriptorKind(lo, level, c.tg, c.ds, c.wide) !== TABLE) {
      if (was >= 0) this.#pointers += 1;
      this.#replaced ||= was >= 0 && (lo & 1) !== 0;
      return;
    }
    const slot = this.#cpu.slotOf(tableAddress(lo, hi, c));
    if (slot < 0) return;
    if (was < 0) this.#pointers += 1;
    const frames = POW2[c.tg - 12] as number;
    for (let i = 0; i < frames; i += 1) this.#levels.set(slot + i, level + 1);
    this.#ledger.judgeAt(PUBLICATION);
    const ghost = this.#ghostIn(slot, frames);
    if (ghost < 0) return;
    this.#fail('a pointer is stored before its table is clean',
      `entry ${ref % WORDS_PER_FRAME} of the level-${level} page at ${frameAddress(this.#cpu.frameOf(Math.floor(ref / WORDS_PER_FRAME)))} points to the table at ${frameAddress(this.#cpu.frameOf(slot))}, `
      + `whose words from ${ghost % WORDS_PER_FRAME} on still show the walker what stood in the page before: its line was never cleaned, and the line with the pointer may be written back now`);
  }

  #ghostIn(slot: number, frames: number): number {
    for (let i = slot; i < slot + frames; i += 1) {
      const ref = this.#view.ghostIn(i);
      if (ref >= 0) return ref;
    }
    return -1;
  }

  #fail(cause: string, actual: string): never {
    this.#ledger.fail('publication', cause, 'every line of a table is cleaned before a pointer to the table is stored', actual);
  }

  cleanedLines(): void {
    // counted by the view
  }

  /** A call begins. */
  begin(): void {
    this.#lines.clear();
    this.#tableLines = 0;
    this.#pointers = 0;
    this.#replaced = false;
    this.#before = this.#view.cleans;
  }

  /** The call is over. `synced`: counts the lines of the range that it was told to sync, if that matters. */
  bound(what: string, synced: () => number): void {
    const cleaned = this.#view.cleans - this.#before;
    if (cleaned === 0) return;
    this.#ledger.judgeAt(BOUND);
    const own = this.#lines.size * (this.#replaced ? 2 : 1) + this.#pointers + this.#tableLines;
    if (cleaned <= own) return;
    const more = synced();
    const touched = own + more;
    if (cleaned <= touched) return;
    this.#ledger.fail('clean-bound', `${what} cleans more lines than it touched`, `at most ${touched} lines: ${this.#lines.size} written, ${this.#pointers} of table pointers, ${this.#tableLines} of new tables, ${more} of the synced range`, `${cleaned} lines are cleaned`);
  }

  /** Lines of the entries that stand for [first, first + frames), as far as there are tables. */
  linesOf(first: number, frames: number): number {
    const c = this.#context;
    if (c === null) return 0;
    const lines = new Set<number>();
    const end = this.#end;
    for (let at = first; at < first + frames; at = end.first + end.frames) lines.add(Math.floor(walkPath(this.#cpu, c, at, end).ref / LINE_WORDS));
    return lines.size;
  }

  /** After a map and its sync: the walker goes the same way to every page of the range. */
  synced(first: number, frames: number): void {
    const c = this.#context;
    if (c === null) return;
    const walker = this.#view.memory;
    const end = this.#end;
    for (let at = first; at < first + frames; at = end.first + end.frames) {
      let stale = -1;
      let staleLevel = 0;
      walkPath(this.#cpu, c, at, end, (ref, level) => {
        if (stale >= 0 || sameForWalkers(this.#cpu, walker, ref)) return;
        stale = ref;
        staleLevel = level;
      });
      if (end.leaf) this.#ledger.judgeAt(COHERENCY);
      if (stale < 0 || !end.leaf) continue;
      const leaf = staleLevel === end.level;
      this.#ledger.fail('table-coherency', leaf ? 'a leaf that the walker does not see' : 'a table pointer that the walker does not see', `the walker sees every descriptor of the range when its sync returns`,
        `${entryName(this.#cpu, c, at, { level: staleLevel, ref: stale })}, on the way to ${frameAddress(at)}, was stored and its line (words ${stale - (stale % LINE_WORDS) - Math.floor(stale / WORDS_PER_FRAME) * WORDS_PER_FRAME} to +7) was not cleaned since`);
    }
  }

  /** Before an invalidation is issued: what was cleared is cleared for the walker. */
  cleared(first: number, frames: number): void {
    const c = this.#context;
    if (c === null) return;
    const walker = this.#view.memory;
    const end = this.#end;
    for (let at = first; at < first + frames; at = end.first + end.frames) {
      let gone = -1;
      let goneLevel = 0;
      walkPath(walker, c, at, end, (ref, level) => {
        if (gone >= 0 || ((this.#cpu.lo[ref] as number) & 1) !== 0 || ((walker.lo[ref] as number) & 1) === 0) return;
        gone = ref;
        goneLevel = level;
      });
      this.#ledger.judgeAt(COHERENCY);
      if (gone < 0) continue;
      this.#ledger.fail('table-coherency', 'a cleared descriptor that the walker still sees', 'what is cleared is clean before its invalidation is issued: the walker would fetch it again at once',
        `${entryName(this.#cpu, c, at, { level: goneLevel, ref: gone })}, for ${frameAddress(at)}, was cleared and its line was not cleaned before the TLBI`);
    }
  }
}
