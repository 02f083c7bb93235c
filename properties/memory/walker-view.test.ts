/**
 * Claim: the walkers' view is that of the literal model: for each cached line a list of the eight words that the walker sees and one of those in the
 * cache; a clean or a write-back copies the list. Whatever the order of stores (through a store buffer that drains in either order), cleans,
 * write-backs, allocations and frees is, both agree on every word, every dirty line and every ghost; and undo returns to any earlier state.
 */
import test from 'ava';
import fc from 'fast-check';
import { Cpu } from '../../src/memory/cpu.js';
import { Journal } from '../../src/memory/journal.js';
import { Memory } from '../../src/memory/memory.js';
import { Pages } from '../../src/memory/pages.js';
import { NO_EVICTION, WalkerView } from '../../src/memory/walker-view.js';

const PAGES = 3;

type Act =
  | { readonly act: 'store'; readonly page: number; readonly index: number; readonly value: number }
  | { readonly act: 'clean'; readonly page: number; readonly index: number; readonly words: number }
  | { readonly act: 'drain' | 'drain-oldest' }
  | { readonly act: 'evict'; readonly n: number }
  | { readonly act: 'swap'; readonly page: number };

const page = fc.nat(PAGES - 1);
/** Few lines, so that they meet: indices of the first and last words of lines. */
const index = fc.constantFrom(0, 1, 7, 8, 9, 15, 16, 504, 511);
const acts: fc.Arbitrary<Act[]> = fc.array(fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('store' as const), page, index, value: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('clean' as const), page, index, words: fc.constantFrom(1, 2, 8, 9, 24) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('drain' as const, 'drain-oldest' as const) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('evict' as const), n: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('swap' as const), page }) },
), { maxLength: 60 });

interface Line {
  seen: number[];
  cache: number[];
  dirty: boolean;
  ghost: boolean;
}

/** Lines by first word; stores that wait, oldest first. */
class Literal {
  readonly lines = new Map<number, Line>();
  waiting: { ref: number; value: number }[] = [];
  readonly #order: 'fifo' | 'reverse';

  constructor(order: 'fifo' | 'reverse') {
    this.#order = order;
  }

  line(ref: number): Line {
    const at = ref - (ref % 8);
    let line = this.lines.get(at);
    if (line === undefined) this.lines.set(at, line = { seen: Array<number>(8).fill(0), cache: Array<number>(8).fill(0), dirty: false, ghost: false });
    return line;
  }

  store(ref: number, value: number): void {
    const same = this.#order === 'reverse' ? this.waiting.find((w) => w.ref === ref) : undefined;
    if (same !== undefined) same.value = value;
    else this.waiting.push({ ref, value });
  }

  /** What waits for one of these words becomes visible. */
  drain(which: (ref: number) => boolean): void {
    for (const w of this.waiting.filter((x) => which(x.ref))) {
      const line = this.line(w.ref);
      if (line.cache[w.ref % 8] !== w.value) line.dirty = true;
      line.cache[w.ref % 8] = w.value;
    }
    this.waiting = this.waiting.filter((x) => !which(x.ref));
  }

  writeBack(line: Line): void {
    line.seen = [...line.cache];
    line.dirty = false;
    line.ghost = false;
  }

  evict(n: number): void {
    const dirty = [...this.lines].filter(([, l]) => l.dirty).sort(([a], [b]) => a - b);
    const chosen = dirty[n % Math.max(1, dirty.length)];
    if (chosen !== undefined) this.writeBack(chosen[1]);
  }

  fresh(first: number): void {
    for (let ref = first; ref < first + 512; ref += 8) {
      const line = this.line(ref);
      line.cache.fill(0);
      line.dirty = true;
      line.ghost = true;
    }
  }
}

class Pair {
  readonly memory = new Memory(new Journal(), 48);
  readonly pages = new Pages(this.memory);
  readonly view = new WalkerView(this.memory, (slot) => { const o = this.pages.ownerOf(slot); return o === 'table' || o === null; }, NO_EVICTION);
  readonly cpu: Cpu;
  readonly literal: Literal;
  readonly refs: number[] = [];

  constructor(order: 'fifo' | 'reverse') {
    this.cpu = new Cpu(this.memory, order);
    this.literal = new Literal(order);
    this.pages.observer = this.view;
    for (let i = 0; i < PAGES; i += 1) this.#allocate(i);
  }

  #allocate(at: number): void {
    this.refs[at] = this.pages.allocate('table') * 512;
    this.literal.fresh(this.refs[at] as number);
  }

  act(a: Act): void {
    switch (a.act) {
      case 'store':
        this.cpu.store((this.refs[a.page] as number) + a.index, a.value, 0);
        this.literal.store((this.refs[a.page] as number) + a.index, a.value);
        break;
      case 'clean': {
        const ref = (this.refs[a.page] as number) + a.index;
        const words = Math.min(a.words, 512 - a.index);
        const first = ref - (ref % 8);
        const last = ref + words - 1 - ((ref + words - 1) % 8);
        this.cpu.clean(ref, words, 'leaves');
        this.literal.drain((r) => r >= first && r < last + 8);
        for (let at = first; at <= last; at += 8) this.literal.writeBack(this.literal.line(at));
        break;
      }
      case 'drain':
        this.cpu.drainAll();
        this.literal.drain(() => true);
        break;
      case 'drain-oldest': {
        const oldest = this.literal.waiting[0];
        this.cpu.drainOldest();
        if (oldest !== undefined) {
          this.literal.waiting.shift();
          const rest = this.literal.waiting;
          this.literal.waiting = [oldest];
          this.literal.drain(() => true);
          this.literal.waiting = rest;
        }
        break;
      }
      case 'evict':
        this.view.evict(a.n);
        this.literal.evict(a.n);
        break;
      case 'swap':
        this.cpu.drainAll();
        this.literal.drain(() => true);
        this.pages.release((this.refs[a.page] as number) / 512);
        this.#allocate(a.page);
        break;
    }
  }

  differs(): string | null {
    let dirty = 0;
    for (const [ref, line] of this.literal.lines) {
      if (line.dirty) dirty += 1;
      if (this.view.isDirty(ref) !== line.dirty || this.view.isGhost(ref) !== line.ghost) return `flags of line ${ref}`;
      for (let i = 0; i < 8; i += 1) {
        if (this.view.memory.lo[ref + i] !== line.seen[i]) return `walker at ${ref + i}: ${this.view.memory.lo[ref + i]}, not ${line.seen[i]}`;
        if (this.memory.lo[ref + i] !== line.cache[i]) return `cache at ${ref + i}`;
        if (this.view.agrees(ref + i) !== (line.seen[i] === line.cache[i])) return `agreement at ${ref + i}`;
        if (!line.dirty && line.seen[i] !== line.cache[i]) return `a clean line that differs at ${ref + i}`;
      }
    }
    return dirty === this.view.dirtyLines && this.cpu.pending === this.literal.waiting.length ? null : `${this.view.dirtyLines} dirty lines, not ${dirty}`;
  }
}

for (const order of ['fifo', 'reverse'] as const) {
  test(`after every act both agree, ${order}`, (t) => {
    fc.assert(fc.property(acts, (list) => {
      const pair = new Pair(order);
      for (const a of list) {
        pair.act(a);
        const why = pair.differs();
        if (why !== null) throw new Error(why);
      }
    }), { numRuns: 400 });
    t.pass();
  });
}

test('undo returns to the state of each mark', (t) => {
  fc.assert(fc.property(acts, acts, (first, second) => {
    const pair = new Pair('fifo');
    pair.memory.journal.recording = true;
    for (const a of first) pair.act(a);
    const state = (): string => `${pair.view.key()}|${pair.cpu.pendingKey()}|${pair.view.dirtyLines}|${pair.view.cleans}|${pair.refs.map((r) => pair.view.memory.lo.slice(r, r + 512).join()).join()}`;
    const refs = [...pair.refs];
    const before = state();
    const mark = pair.memory.journal.mark();
    for (const a of second) pair.act(a);
    pair.memory.journal.undo(mark);
    refs.forEach((r, i) => { pair.refs[i] = r; });
    if (state() !== before) throw new Error('not the state of the mark');
  }), { numRuns: 100 });
  t.pass();
});
