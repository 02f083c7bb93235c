/**
 * Rules `table-coherency`, `publication` and `clean-bound`: SMMUs that do not look into the CPU's caches (IHI 0070 §3.15, IDR0.COHACC = 0; seed 2), judged on
 * what such a walker sees, and never on what a cleaner says it did.
 *
 * The view is asked adversarially: a dirty line may be written back at any time, so a pointer counts as seen from its store on, and a table as seen only
 * when each of its lines was written back once since the page was handed out. Bits that hardware ignores (58:55) may differ: software keeps
 * marks there.
 */
import { BIT_VALID, descriptorKind, TABLE, tableFrame } from '../spec/descriptor.js';
import { LINE_WORDS, LINES_PER_FRAME, type ViewListener, type WalkerView } from '../memory/walker-view.js';
import { entryFrames, type Way } from '../reference/stage1/facts.js';
import type { Operation, Result } from '../stack/operation.js';
import { ruleIndex } from './ledger.js';
import { at, type Scene } from './scene.js';

const COHERENCY = ruleIndex('table-coherency');
const PUBLICATION = ruleIndex('publication');
const BOUND = ruleIndex('clean-bound');
/** Bits 58:55 in the high half of a descriptor. */
const IGNORED = 0x07800000;

/** One domain's tables. */
export interface TableRoot {
  readonly slot: number;
  readonly level: number;
  /** Is the domain one whose tables are cleaned? */
  readonly cleaned: boolean;
}

/** A page that is a table of a cleaned domain: its level, its first frame, and the reference of the pointer to it (-1: a root). */
interface Page {
  readonly domain: number;
  readonly level: number;
  readonly va: number;
  readonly pointer: number;
}

export class CoherencyRules implements ViewListener {
  readonly #scene: Scene;
  readonly #view: WalkerView;
  readonly #roots: readonly TableRoot[];
  /** By slot; sparse. */
  readonly #pages: (Page | undefined)[] = [];
  /** Since the call began: lines of entries stored to, pointers stored or removed, tables installed, lines cleaned before it, what was cleaned. */
  readonly #lines = new Set<number>();
  #lastLine = -1;
  #links = 0;
  #installed = 0;
  #cleansBefore = 0;
  readonly #cleaned: number[] = [];
  /** Descriptors cleared and not judged yet. */
  #cleared = 0;

  constructor(scene: Scene, view: WalkerView, roots: readonly TableRoot[]) {
    this.#scene = scene;
    this.#view = view;
    this.#roots = roots;
    roots.forEach((root, domain) => { if (root.cleaned) this.#pages[root.slot] = { domain, level: root.level, va: 0, pointer: -1 }; });
  }

  // ---- ViewListener

  stored(ref: number, oldLo: number, oldHi: number): void {
    const page = this.#pages[Math.floor(ref / 512)];
    if (page === undefined) return;
    const { memory } = this.#scene;
    const lo = memory.lo[ref] as number;
    const hi = memory.hi[ref] as number;
    if ((oldLo & BIT_VALID) !== 0 && (lo & BIT_VALID) === 0) this.#cleared += 1;
    const was = descriptorKind(oldLo, page.level, 12) === TABLE;
    if (was) this.#links += 1;
    if (descriptorKind(lo, page.level, 12) === TABLE) {
      const slot = memory.slotOf(tableFrame(lo, hi));
      this.#links += 1;
      if (slot < 0 || (was && tableFrame(oldLo, oldHi) === tableFrame(lo, hi))) return;
      this.#installed += 1;
      this.#adopt(slot, { domain: page.domain, level: page.level + 1, va: page.va + (ref % 512) * entryFrames(page.level), pointer: ref });
      return;
    }
    const line = Math.floor(ref / LINE_WORDS);
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    this.#lines.add(line);
    this.#judgePointer(page);
  }

  allocated(slot: number): void {
    this.#setPage(slot, undefined);
  }

  cleanedLines(first: number, last: number): void {
    this.#cleaned.push(first, last);
  }

  #setPage(slot: number, page: Page | undefined): void {
    const before = this.#pages[slot];
    if (before === page) return;
    this.#pages[slot] = page;
    const { journal } = this.#scene.memory;
    if (journal.recording) journal.push(() => { this.#pages[slot] = before; });
  }

  // ---- publication

  /** A pointer to this page was stored: it is a table from now on, with everything that hangs below it already. */
  #adopt(slot: number, page: Page): void {
    const { memory, ledger } = this.#scene;
    this.#setPage(slot, page);
    ledger.judgeAt(PUBLICATION);
    const ghost = this.#view.ghostIn(slot);
    if (ghost >= 0) {
      ledger.fail('publication', 'a pointer is stored before its table is clean', `each line of the table of ${at(page.va)} cleaned before the pointer to it is stored`,
        `${this.#word(page.pointer)} points to page ${at(memory.frameOf(slot))}, whose line at ${address(memory.frameOf(slot), ghost)} is dirty: the walker sees what stood there before`, undefined, [
          `page ${at(memory.frameOf(slot))} was allocated, and its zeros are in the CPU's cache`,
          `the pointer to it was stored to ${this.#place(page.pointer)}: its line is dirty, and the cache may write it back at any time, before the table`,
          `missing: a clean of all ${LINES_PER_FRAME} lines of the page before that store${this.#told(ghost)}`,
        ]);
    }
    if (page.level >= 3 || memory.odd[slot] === 0) return;
    for (let i = 0; i < 512; i += 1) {
      const ref = slot * 512 + i;
      const lo = memory.lo[ref] as number;
      if (descriptorKind(lo, page.level, 12) !== TABLE) continue;
      const child = memory.slotOf(tableFrame(lo, memory.hi[ref] as number));
      if (child >= 0) this.#adopt(child, { domain: page.domain, level: page.level + 1, va: page.va + i * entryFrames(page.level), pointer: ref });
    }
  }

  /** Something is stored to a table: whoever installed it has returned, so the walker must see the pointer to it. */
  #judgePointer(page: Page): void {
    if (page.pointer < 0) return;
    const { ledger } = this.#scene;
    ledger.judgeAt(PUBLICATION);
    if (this.#same(page.pointer)) return;
    ledger.fail('publication', 'a table is used before its pointer is clean', `the pointer to the table of ${at(page.va)} cleaned before anything relies on it`,
      `${this.#word(page.pointer)} is stored, its line is dirty, and the walker reads ${this.#seen(page.pointer)}; entries below it are written already`, undefined, [
        `the pointer was stored to ${this.#place(page.pointer)}: its line is dirty`,
        `missing: a clean of that line after the store, before the installation of the table returns${this.#told(page.pointer)}`,
      ]);
  }

  /** A walker comes to a page: by a CD or by a pointer that it sees. */
  reached(smmu: number, way: Way): void {
    if (way.slot < 0) return;
    const { ledger, memory } = this.#scene;
    ledger.judgeAt(PUBLICATION);
    const ghost = this.#view.ghostIn(way.slot);
    if (ghost < 0) return;
    const domain = this.#roots.findIndex((r) => r.slot === way.slot);
    const never = domain >= 0 && this.#roots[domain]?.cleaned === false;
    ledger.fail('publication', never ? 'tables that are never cleaned, behind a walker that is not coherent' : 'a walker reaches a table that is not clean',
      never ? `only SMMUs that look into the CPU's caches walk the tables of domain ${domain}` : `each line of page ${at(memory.frameOf(way.slot))} cleaned before a walker can reach it`,
      `SMMU ${smmu} walks page ${at(memory.frameOf(way.slot))}, whose line at ${address(memory.frameOf(way.slot), ghost)} is dirty: it sees what stood there before`, undefined, [
        `page ${at(memory.frameOf(way.slot))} was allocated, and its zeros are in the CPU's cache`,
        never ? `domain ${domain} was made for coherent SMMUs: nothing that is stored to its tables is ever cleaned` : 'missing: a clean of all lines of the page before the pointer to it is stored',
        `SMMU ${smmu} has IDR0.COHACC = 0: it reads memory and not the cache`,
      ]);
  }

  // ---- table-coherency

  /** Is the word the same to the walker and to the CPUs, as far as hardware looks at it? */
  #same(ref: number): boolean {
    const { memory } = this.#scene;
    const seen = this.#view.memory;
    return seen.lo[ref] === memory.lo[ref] && (((seen.hi[ref] as number) ^ (memory.hi[ref] as number)) & ~IGNORED) === 0;
  }

  /** Commands are about to be issued, or a call that takes away returns: what was cleared is clear to the walker. */
  taken(when: string): void {
    if (this.#cleared > 0) this.#scene.ledger.judgeAt(COHERENCY, this.#cleared);
    this.#cleared = 0;
    if (this.#view.dirtyLines === 0) return;
    const seen = this.#view.memory;
    for (let slot = 0; slot < this.#pages.length; slot += 1) {
      const page = this.#pages[slot];
      if (page === undefined || this.#view.dirtyIn(slot) === 0) continue;
      for (let ref = slot * 512; ref < (slot + 1) * 512; ref += 1) {
        if (((seen.lo[ref] as number) & BIT_VALID) === 0 || this.#same(ref)) continue;
        this.#scene.ledger.fail('table-coherency', 'what was taken away still stands for the walker', `the line of each cleared descriptor cleaned before ${when}`,
          `${this.#word(ref)} was cleared or replaced, its line is dirty, and the walker still reads ${this.#seen(ref)} ${when}`, undefined, [
            `a store took ${this.#seen(ref)} out of ${this.#place(ref)}: it is in the CPU's cache, and the line is dirty`,
            `missing: a clean of that line after the store, before the invalidation is issued${this.#told(ref)}`,
            'whatever is invalidated, the walker may read it again',
          ]);
      }
    }
  }

  /** All of [first, end) is mapped and its call returned: every descriptor on the way to each page is what the walker sees. */
  #mapped(domain: number, first: number, end: number): void {
    const root = this.#roots[domain];
    if (root === undefined || !root.cleaned) return;
    this.#scene.ledger.judgeAt(COHERENCY, this.#compare(root.slot, root.level, 0, first, end));
  }

  #compare(slot: number, level: number, base: number, first: number, end: number): number {
    const span = entryFrames(level);
    const from = Math.max(0, Math.floor((first - base) / span));
    const to = Math.min(511, Math.floor((end - 1 - base) / span));
    const { memory } = this.#scene;
    let judged = to - from + 1;
    for (let i = from; i <= to; i += 1) {
      const ref = slot * 512 + i;
      const lo = memory.lo[ref] as number;
      if (!this.#same(ref) || (lo & BIT_VALID) === 0) this.#unseen(ref, level, base + i * span);
      if (descriptorKind(lo, level, 12) === TABLE) judged += this.#compare(memory.slotOf(tableFrame(lo, memory.hi[ref] as number)), level + 1, base + i * span, first, end);
    }
    return judged;
  }

  #unseen(ref: number, level: number, va: number): never {
    const kind = descriptorKind(this.#scene.memory.lo[ref] as number, level, 12) === TABLE ? 'table descriptor' : 'leaf';
    const dirty = this.#view.isDirty(ref);
    return this.#scene.ledger.fail('table-coherency', `a level ${level} ${kind} that the walker does not see`, `the line of each descriptor of the range cleaned when the map returns`,
      dirty ? `the level ${level} ${kind} of ${at(va)} is stored, its line is dirty, and the walker reads ${this.#seen(ref)}`
        : `the level ${level} ${kind} of ${at(va)} is not in memory: its store is still in a store buffer, or was never made`, undefined, [
        `the map stored the ${kind} of ${at(va)} to ${this.#place(ref)}${dirty ? ': it is in the CPU\'s cache, and the line is dirty' : ''}`,
        `missing: a clean of that line after the store, before the map returns${this.#told(ref)}`,
      ]);
  }

  /** The end of a run: the walker sees every word of every table of the domains that are cleaned. */
  whole(): void {
    this.#roots.forEach((root) => { if (root.cleaned) this.#wholePage(root.slot, root.level); });
  }

  #wholePage(slot: number, level: number): void {
    const { memory } = this.#scene;
    this.#scene.ledger.judgeAt(COHERENCY);
    const va = this.#pages[slot]?.va ?? 0;
    for (let ref = slot * 512; ref < (slot + 1) * 512; ref += 1) {
      if (!this.#same(ref)) this.#unseen(ref, level, va + (ref % 512) * entryFrames(level));
      const lo = memory.lo[ref] as number;
      if (descriptorKind(lo, level, 12) === TABLE) this.#wholePage(memory.slotOf(tableFrame(lo, memory.hi[ref] as number)), level + 1);
    }
  }

  // ---- clean-bound

  begin(): void {
    this.#lines.clear();
    this.#lastLine = -1;
    this.#links = 0;
    this.#installed = 0;
    this.#cleaned.length = 0;
    this.#cleansBefore = this.#view.cleans;
  }

  /** A call of the driver returned. */
  returned(op: Operation, result: Result): void {
    const cleans = this.#view.cleans - this.#cleansBefore;
    const most = this.#lines.size + this.#links + this.#installed * LINES_PER_FRAME;
    if (cleans > 0 || most > 0) {
      this.#scene.ledger.judgeAt(BOUND);
      if (cleans > most) {
        this.#scene.ledger.fail('clean-bound', 'a call cleans more lines than it touched', `at most ${most} lines: ${this.#lines.size} with entries that were stored, ${this.#links} with pointers, `
          + `${LINES_PER_FRAME} for each of ${this.#installed} new tables`, `${op.op} cleans ${cleans} lines`);
      }
    }
    if (result !== 'ok') return;
    if (op.op === 'map') this.#mapped(op.domain, op.iova / 4096, (op.iova + op.size) / 4096);
    else this.taken(`when ${op.op} returns`);
  }

  // ---- words

  #place(ref: number): string {
    return address(this.#scene.memory.frameOf(Math.floor(ref / 512)), ref);
  }

  #word(ref: number): string {
    const page = this.#pages[Math.floor(ref / 512)];
    return page === undefined ? `the descriptor at ${this.#place(ref)}` : `the level ${page.level} descriptor of ${at(page.va + (ref % 512) * entryFrames(page.level))} at ${this.#place(ref)}`;
  }

  #seen(ref: number): string {
    const lo = this.#view.memory.lo[ref] as number;
    const hi = this.#view.memory.hi[ref] as number;
    return lo === 0 && hi === 0 ? '0' : `0x${(hi * 2 ** 32 + lo).toString(16)}`;
  }

  /** Was the line cleaned in this call? Then that came too early. */
  #told(ref: number): string {
    const line = Math.floor(ref / LINE_WORDS);
    for (let i = 0; i < this.#cleaned.length; i += 2) {
      if (line >= (this.#cleaned[i] as number) && line <= (this.#cleaned[i + 1] as number)) return ' (this call cleaned the line, but before the store was in the cache)';
    }
    return ' (this call did not clean the line)';
  }
}

/** Address of a word in the page of this frame. */
function address(frame: number, ref: number): string {
  return `0x${(frame * 4096 + (ref % 512) * 8).toString(16)}`;
}
