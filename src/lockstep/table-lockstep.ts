/**
 * TableLockstep: one sequence on one page table: the library under test, its flat twin, and both whole machines that walk the table through the
 * walker's view of memory. The library's invalidations become real commands. Judged after every operation: results, memory against the flat map,
 * everything that the weakest machine may have cached against what the owner mapped, and the rules about walkers that do not see the CPU's cache.
 * The first broken rule throws a ViolationError.
 *
 * A caller keeps some rules of his own: what was unmapped is not mapped again before its sync. A call that breaks them is not made ("the caller must …").
 */
import { POW2 } from '../spec/bits.js';
import { BIT_READ_ONLY, BIT_S2AP_WRITE, HI_CONTIGUOUS, HI_DBM } from '../spec/descriptor.js';
import { describeCommand } from '../spec/command.js';
import { EVENT } from '../spec/event.js';
import { contiguousEntries } from '../spec/granule.js';
import type { Fact } from '../reference/machine/facts.js';
import { Ledger, ruleIndex } from '../rules/ledger.js';
import { OUTCOME_FAULT, OUTCOME_OK } from '../stack/outcome.js';
import type { TableOperation, TableResult, TableWorld } from '../stack/page-table.js';
import { Stuck } from '../stack/violation.js';
import type { Answer } from '../stack/transaction.js';
import type { Log } from './log.js';
import { answerName, describeAnswer, frameAddress } from './machine-words.js';
import { TableCaches } from './table-caches.js';
import { TableCalls } from './table-calls.js';
import { allows, askGone, judgeClean, judgeFacts, type Owned } from './table-facts.js';
import { newEnd, tellPath, walkPath } from './table-path.js';
import { isTableCall, rangeOf, spansOf, type Call, type Range } from './table-ranges.js';
import { TableScene } from './table-scene.js';
import { Spans, type Span } from './table-spans.js';
import { TableTwin, type Mapping } from './table-twin.js';

const RESULT = ruleIndex('api-result');
const EQUIVALENCE = ruleIndex('translation-equivalence');
const FREED = ruleIndex('use-after-free');
const WALK = ruleIndex('stale-walk');
const BREAK = ruleIndex('break-before-make');
/** Look-ups outside of the table, in sizes of its input range. */
const OUTSIDE: readonly number[] = [1, 2, 5, 6, 7, 8];

const STILL = 'which memory still holds';

export interface TableOptions {
  readonly ledger?: Ledger;
  readonly log?: Log;
  readonly mutant?: string;
}

/** What one operation came to. */
export interface TableStep {
  readonly operation: TableOperation;
  /** What the flat twin, or the owner, expects; what the library or the machine said. */
  readonly expected: string;
  readonly text: string;
  /** For counting. */
  readonly code: string;
  readonly refused: boolean;
}

export class TableLockstep {
  readonly world: TableWorld;
  readonly ledger: Ledger;
  index = -1;
  readonly #calls: TableCalls;
  readonly #scene: TableScene;
  readonly #caches: TableCaches | null = null;
  readonly #twin: TableTwin;
  readonly #owned: Owned;
  readonly #log: Log | undefined;
  /** Frames that were mapped once: leaves written there again had something to conflict with. */
  readonly #once = new Spans();
  readonly #mapped = new Spans();
  readonly #limbo = new Spans();
  /** Pages that are mapped but not synced yet, by a cleaner that puts leaves off. */
  readonly #unsynced = new Spans();
  readonly #baseline: number;
  /** The clock when what is cached was judged last: nothing is stored, and no command consumed, without a tick of it. */
  #judgedAt = -1;
  /** While two calls run: pages that the device wrote to; whether before or after a page was marked clean, the calls' results tell. */
  #writes: number[] = [];
  #atOnce = false;

  constructor(world: TableWorld, options: TableOptions = {}) {
    this.world = world;
    this.ledger = options.ledger ?? new Ledger();
    this.#log = options.log;
    const made: TableCaches[] = [];
    this.#calls = new TableCalls(world, options.mutant, (gather, why) => { if (why !== 'dirty') this.#caches?.cleared(gather.first, gather.last - gather.first + 1); },
      (view, memory) => { made.push(new TableCaches(memory, view, this.ledger)); });
    this.#caches = made[0] ?? null;
    const calls = this.#calls;
    const { room } = calls.table;
    this.#caches?.opened(calls.context, room.shape.rootFrames);
    this.#scene = new TableScene({
      world, walker: calls.walker, pages: calls.pages, ledger: this.ledger, log: options.log,
      listener: { commandSeen: () => undefined, conflict: (what, facts) => { this.#conflict(what, facts); }, marked: () => undefined },
    }, { address: calls.context.rootFrame * 4096, startLevel: room.shape.startLevel });
    calls.scene = this.#scene;
    calls.pages.listeners.push({ freed: (slot, owner) => { if (owner === 'table') this.#freed(slot); } });
    this.#baseline = calls.pages.pagesInUse - room.shape.rootFrames;
    this.#twin = new TableTwin(world, this.ledger, room.shape.startLevel);
    this.#owned = { scene: this.#scene, ledger: this.ledger, waiting: () => calls.pending > 0, mapped: this.#mapped, limbo: this.#limbo, tell: (frame, facts) => this.#tell(frame, facts) };
  }

  get commands(): Float64Array {
    return this.#scene.commands;
  }

  /** Why what rests on these facts is possible, and the way to the address in memory. */
  #tell(frame: number, facts: readonly Fact[]): readonly string[] {
    const { telling, weakest } = this.#scene;
    if (telling === null) return [];
    const lines = telling.facts(weakest, facts);
    return [...tellPath(this.#calls.memory, this.#calls.walker, this.#calls.context, frame).map((line) => `now ${line}`), ...lines, ...this.#missing()];
  }

  /** The narrowest commands that must end what was just told of; none where memory itself still says it. */
  #missing(): string[] {
    const [list] = this.#log?.remedies ?? [];
    return list === undefined || list.length === 0 ? [] : [`missing: ${list.map((c) => describeCommand(c)).join(', then ')}, and a CMD_SYNC behind it`];
  }

  #conflict(what: string, facts: readonly Fact[]): void {
    this.ledger.judgeAt(BREAK);
    const fact = facts[0];
    const frame = fact !== undefined && 'va' in fact ? fact.va - this.#scene.base : 0;
    this.ledger.fail('break-before-make', what, `with BBML ${this.world.bbml}: an invalid descriptor, its TLBI and CMD_SYNC, and only then the new one`,
      `at ${frameAddress(frame)} a leaf is written while the old one may still be cached`, undefined, this.#tell(frame, facts));
  }

  #freed(slot: number): void {
    this.ledger.judgeAt(FREED);
    this.ledger.judgeAt(WALK);
    const { weakest } = this.#scene;
    const what = weakest.pointsTo(slot);
    if (what === null) return;
    const table = what.startsWith('table');
    const because = this.#scene.telling === null ? [] : [...this.#scene.telling.facts(weakest, weakest.pointerFacts(slot)), ...this.#missing()];
    this.ledger.fail(table ? 'stale-walk' : 'use-after-free', `${what.endsWith(STILL) ? 'memory still holds' : 'only caches hold'} a ${what.split(' ', 1)[0] ?? ''} that points to a freed page`,
      'nothing that memory or a cache holds points to a freed table', `${what} points to ${frameAddress(this.#calls.memory.frameOf(slot))}`, undefined, because);
  }

  /** One operation on all sides, judged. */
  step(op: TableOperation): TableStep {
    this.index += 1;
    this.#scene.op = this.index;
    if (this.#log !== undefined) {
      this.#log.op = this.index;
      this.#scene.telling?.begin();
      this.#log.add({ kind: 'operation', op: this.index });
    }
    try {
      return this.#run(op);
    } catch (error) {
      if (error instanceof Stuck) this.ledger.fail('progress', 'a call that does not end', 'every call ends within its step budget', error.message);
      throw error;
    }
  }

  #run(op: TableOperation): TableStep {
    switch (op.op) {
      case 'access': return this.#access(op.iova, op.write, op);
      case 'evict': return done(op, this.#evict(op.line));
      case 'fail-next-allocation':
        this.#calls.pages.failNext();
        return done(op, 'done');
      case 'together': return this.#together(op);
      default: return this.#call(op);
    }
  }

  #evict(line: number): string {
    if (this.#calls.view === null) return 'nothing is dirty';
    const written = this.#calls.view.evict(line);
    judgeFacts(this.#owned);
    return written ? 'written back' : 'nothing is dirty';
  }

  /** Why the caller must not make the call now. */
  #misuse(op: TableOperation): string | null {
    const range = rangeOf(op);
    if (range === null) return null;
    if ((op.op === 'map' || op.op === 'map-sg') && this.#limbo.touches(range.first, range.frames)) return 'the caller must sync what he unmapped first';
    return null;
  }

  #call(op: Call): TableStep {
    const wrong = this.#misuse(op);
    if (wrong !== null) return { ...done(op, wrong), code: 'not made', refused: true };
    const { pages } = this.#calls;
    const refused = pages.refused;
    this.#calls.before(op);
    this.#caches?.begin();
    const result = this.#calls.perform(op);
    const expected = this.#twin.expect(op, result, pages.refused > refused);
    this.#took(op, result, expected.changes);
    this.#bound(op);
    this.#settle();
    this.#lookups(op);
    if (op.op === 'sync') this.#synced();
    if (op.op === 'read-dirty' && op.clear) this.#cleaned(op, result);
    return { operation: op, expected: expected.text, text: this.#twin.describe(op, result), code: result.code, refused: result.code !== 'ok' };
  }

  /** The library's look-up, at the ends of the range and behind the table. */
  #lookups(op: Call): void {
    const range = rangeOf(op);
    if (range === null || this.#calls.pending > 0) return;
    const first = range.first * 4096;
    const beyond = POW2[this.world.geometry.inputBits] as number;
    for (const iova of [first, first + (range.frames - 1) * 4096, ...OUTSIDE.map((n) => first + n * beyond)]) {
      if (!Number.isSafeInteger(iova) || iova < 0) continue;
      this.ledger.judgeAt(RESULT);
      const [found, wanted] = [this.#calls.table.lookup(iova), this.#twin.lookup(iova)];
      if (found === wanted) continue;
      this.ledger.fail('api-result', wanted < 0 ? 'a look-up finds what is not mapped' : 'a look-up finds another address', wanted < 0 ? 'nothing' : frameAddress(Math.floor(wanted / 4096)),
        `${found < 0 ? 'nothing' : frameAddress(Math.floor(found / 4096))} for 0x${iova.toString(16)}`);
    }
  }

  /** What the call changed, as the owner sees it. */
  #took(op: Call, result: TableResult, changes: readonly Mapping[]): void {
    for (const m of changes) {
      const [first, frames] = [m.iova / 4096, m.size / 4096];
      if (m.pa === null) {
        for (const gone of this.#mapped.remove(first, frames)) this.#limbo.add(gone);
        this.#unsynced.remove(first, frames);
        continue;
      }
      const span = { first, frames, target: m.pa / 4096, prot: m.prot };
      if (this.#once.touches(first, frames)) this.ledger.judgeAt(BREAK);
      this.#mapped.add(span);
      this.#once.add(span);
      if (this.#caches !== null) this.#unsynced.add(span);
    }
    const range = rangeOf(op);
    if (this.#caches === null || range === null || result.bytes === 0) return;
    const frames = Math.min(range.frames, result.bytes / 4096);
    if (op.op === 'map-sg' || (op.op === 'map' && !this.#calls.table.room.cleaner.deferred)) this.#reaches(range.first, frames);
  }

  /** The range is complete: from now on the walker must see it. */
  #reaches(first: number, frames: number): void {
    this.#unsynced.remove(first, frames);
    this.#caches?.synced(first, frames);
  }

  #bound(op: Call): void {
    const caches = this.#caches;
    if (caches === null) return;
    const range = rangeOf(op);
    if (op.op === 'sync-map' && range !== null && this.#insideTable(range)) {
      caches.bound('sync-map', () => caches.linesOf(range.first, range.frames));
      this.#reaches(range.first, range.frames);
      return;
    }
    if (op.op === 'map-sg' && this.world.cleaner === 'eager') return; // no such promise: that is what the others are for
    caches.bound(op.op, () => 0);
  }

  #insideTable({ first, frames }: Range): boolean {
    return first >= 0 && frames > 0 && first + frames <= (POW2[this.world.geometry.inputBits - 12] as number) && Number.isInteger(first) && Number.isInteger(frames);
  }

  /** After every call: memory is what was mapped, and no cache holds anything else. */
  #settle(): void {
    const calls = this.#calls;
    this.#fault();
    if (calls.pending === 0) this.#twin.compare(calls.memory, calls.context.rootFrame, (frame) => this.#tell(frame, []));
    const now = calls.memory.journal.clock.now;
    if (now === this.#judgedAt) return;
    this.#judgedAt = now;
    judgeFacts(this.#owned);
    this.#scene.settle();
  }

  #fault(): void {
    const { fault } = this.#calls.pages;
    if (fault === null) return;
    this.ledger.judge('accounting');
    this.ledger.fail(fault.kind === 'double-free' ? 'accounting' : 'use-after-free', fault.kind, 'every page is freed once and not used afterwards', fault.what);
  }

  /** A sync has returned: what was taken away is gone. */
  #synced(): void {
    const gone = this.#limbo.all.slice();
    this.#limbo.clear();
    if (gone.length === 0) return;
    judgeFacts(this.#owned);
    askGone(this.#owned, gone);
  }

  #cleaned(op: Call, result: TableResult): void {
    for (const range of result.dirty ?? []) judgeClean(this.#owned, range.iova / 4096, (range.iova + range.size) / 4096);
    void op;
  }

  /** One access of the device: the mapped page, or the right fault. */
  #access(iova: number, write: boolean, op: TableOperation, meanwhile: readonly Span[] = []): TableStep {
    const frame = Math.floor(iova / 4096);
    if (!this.#insideTable({ first: frame, frames: 1 })) return { ...done(op, 'outside of the table'), code: 'not made', refused: true };
    const a = this.#scene.access(frame, write);
    if (a.kind === OUTCOME_OK && write) {
      if (this.#atOnce) this.#writes.push(frame * 4096);
      else this.#twin.written(frame * 4096);
    }
    this.ledger.judgeAt(EQUIVALENCE);
    const may = this.#mayAnswer(frame, write, meanwhile);
    const now = this.#mapped.at(frame);
    const due = now !== undefined && !this.#atOnce && this.#unsynced.at(frame) === undefined;
    const expected = may.length > 0 && due ? frameAddress(may[0] as number) : due ? 'F_PERMISSION' : now === undefined ? 'F_TRANSLATION' : 'the page, or a fault';
    if (!rightAnswer(a, may, due)) {
      this.ledger.fail('translation-equivalence', `an access that ends in ${answerName(a)}`, `${expected} at ${frameAddress(frame)}`, describeAnswer(a), undefined, this.#tell(frame, []));
    }
    this.#scene.settle();
    return { operation: op, expected, text: describeAnswer(a), code: answerName(a), refused: false };
  }

  /** Frames that the device may get there. */
  #mayAnswer(frame: number, write: boolean, meanwhile: readonly Span[]): number[] {
    const stage = this.#scene.stage;
    const spans = [this.#mapped.at(frame), this.#limbo.at(frame), ...meanwhile.filter((s) => frame >= s.first && frame < s.first + s.frames)];
    return spans.filter((s): s is Span => s !== undefined && allows(s.prot, stage, write)).map((s) => s.target + frame - s.first);
  }

  #together(op: Extract<TableOperation, { op: 'together' }>): TableStep {
    const wrong = op.calls.map((c) => this.#misuse(c)).find((w) => w !== null) ?? (this.#overlap(op.calls) ? 'two callers must not change the same addresses' : null);
    if (wrong !== null) return { ...done(op, wrong), code: 'not made', refused: true };
    const { pages } = this.#calls;
    const refused = pages.refused;
    const meanwhile = op.calls.flatMap((c) => spansOf(c));
    this.#caches?.begin();
    const texts: string[] = [];
    this.#writes = [];
    this.#atOnce = true;
    const results = this.#calls.together(op.calls, op.order, (act) => {
      texts.push(this.#act(act, meanwhile));
      return { code: 'ok', bytes: 0 };
    }, (call, result) => { this.#returned(call, result); });
    this.#atOnce = false;
    texts.push(...this.#both(op.calls, results, pages.refused > refused));
    this.#caches?.bound('together', () => op.calls.reduce((sum, c) => sum + this.#rangeLines(c), 0));
    for (const call of op.calls) if (call.op === 'sync-map') this.#bound(call);
    this.#settle();
    if (op.calls.some((c) => c.op === 'sync')) this.#synced();
    op.calls.forEach((call, i) => { if (call.op === 'read-dirty' && call.clear && op.calls.every((c) => c.op !== 'access')) this.#cleaned(call, results[i] as TableResult); });
    const text = texts.join(' | ');
    return { operation: op, expected: text, text, code: results[0].code, refused: results.some((r) => r.code !== 'ok') };
  }

  /** One of two calls is over, and its caller relies on it, whatever the other one still has to do. */
  #returned(call: TableOperation, result: TableResult): void {
    const range = rangeOf(call);
    if (this.#caches === null || range === null || result.code !== 'ok' || !this.#insideTable(range)) return;
    if (call.op === 'map-sg' || call.op === 'sync-map' || (call.op === 'map' && !this.#calls.table.room.cleaner.deferred)) this.#caches.synced(range.first, range.frames);
  }

  /** Both results against the twin: the call that got no memory first, because the other one may have made the table that it needed. */
  #both(calls: readonly [TableOperation, TableOperation], results: readonly [TableResult, TableResult], noMemory: boolean): string[] {
    const texts: string[] = [];
    const first = results[1]?.code === 'no-memory' ? 1 : 0;
    if (!calls.some(isTableCall)) for (const iova of this.#writes) this.#twin.written(iova);
    for (const i of [first, 1 - first]) {
      const call = calls[i] as TableOperation;
      const result = results[i] as TableResult;
      if (!isTableCall(call)) continue;
      const late = this.#writes.filter((iova) => call.op === 'read-dirty' && !(result.dirty ?? []).some((r) => iova >= r.iova && iova < r.iova + r.size));
      for (const iova of this.#writes) if (!late.includes(iova)) this.#twin.written(iova);
      this.#took(call, result, this.#twin.expect(call, result, noMemory && result.code === 'no-memory').changes);
      for (const iova of this.#writes) if (late.includes(iova) || this.#isMarked(iova)) this.#twin.written(iova);
      texts.push(this.#twin.describe(call, result));
    }
    return texts;
  }

  /** Does memory say that the page was written? Then a write came after it was marked clean, and counts for the next round. */
  #isMarked(iova: number): boolean {
    const { memory, context } = this.#calls;
    const end = walkPath(memory, context, Math.floor(iova / 4096), newEnd());
    const lo = memory.lo[end.ref] as number;
    return end.leaf && ((memory.hi[end.ref] as number) & HI_DBM) !== 0 && (this.#scene.stage === 1 ? (lo & BIT_READ_ONLY) === 0 : (lo & BIT_S2AP_WRITE) !== 0);
  }

  #rangeLines(op: TableOperation): number {
    const range = rangeOf(op);
    return range === null || this.#caches === null || !this.#insideTable(range) ? 0 : this.#caches.linesOf(range.first, range.frames);
  }

  /** An unmap of iommupt takes the whole of the leaf or run in which its range ends. */
  #touched(op: TableOperation): Range | null {
    const range = rangeOf(op);
    if (range === null || op.op !== 'unmap' || this.world.variant !== 'iommupt' || !this.#insideTable(range)) return range;
    const { memory, context } = this.#calls;
    const end = walkPath(memory, context, range.first + range.frames - 1, newEnd());
    if (!end.leaf) return range;
    const run = ((memory.hi[end.ref] as number) & HI_CONTIGUOUS) === 0 ? end.frames : end.frames * contiguousEntries(context.tg, end.level, context.ds);
    return { first: range.first, frames: Math.ceil((range.first + range.frames) / run) * run - range.first };
  }

  #overlap(calls: readonly [TableOperation, TableOperation]): boolean {
    const [a, b] = [this.#touched(calls[0]), this.#touched(calls[1])];
    if (a === null || b === null || calls.some((c) => c.op === 'read-dirty' || c.op === 'sync-map')) return false;
    return a.first < b.first + b.frames && b.first < a.first + a.frames;
  }

  #act(op: TableOperation, meanwhile: readonly Span[]): string {
    if (op.op === 'access') return this.#access(op.iova, op.write, op, meanwhile).text;
    return op.op === 'evict' ? this.#evict(op.line) : this.#run(op).text;
  }

  /** The end: the stream is taken off, the table destroyed, and nothing is left over. */
  close(): void {
    const calls = this.#calls;
    calls.perform({ op: 'sync' });
    this.#synced();
    this.#scene.detach();
    calls.table.destroy();
    this.#fault();
    this.ledger.judge('accounting');
    const left = calls.pages.pagesInUse - this.#baseline;
    if (left !== 0) this.ledger.fail('accounting', 'pages are left over', 'no page of the table is left when it is destroyed', `${left} pages are`);
    this.ledger.judge('progress');
  }
}

/** `may`: frames that may come; `due`: must one of them come, if there is one, and else the permission fault? */
function rightAnswer(a: Answer, may: readonly number[], due: boolean): boolean {
  if (a.kind === OUTCOME_OK) return may.includes(a.frame);
  if (a.kind !== OUTCOME_FAULT) return false;
  if (!due) return a.event === EVENT.F_TRANSLATION || a.event === EVENT.F_PERMISSION;
  return may.length === 0 && a.event === EVENT.F_PERMISSION;
}

function done(operation: TableOperation, text: string): TableStep {
  return { operation, expected: text, text, code: 'done', refused: false };
}
