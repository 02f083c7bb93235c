/**
 * The literal machine: the justification rule with nothing implied and nothing clever. It lists every fact
 * of a small world, each with its own derivation, keeps the value of every word at every moment, fills eagerly after
 * every event, and at a SYNC asks `when(f, C)` of every fact as the rule states it. What a command must remove is
 * written in `literal-match.ts` from the same clauses that src/reference follows, not from src/reference.
 *
 * Its clock counts events (one store, one publication, one SYNC). Reading of the rule where it leaves room:
 *  - a regime is a tag *and* the tables it walks (ASID, base, sizes);
 *  - a cached table descriptor is enough to fetch what stands below it ("new stores into it are new leaves for every
 *    way still cached"), also while nothing supports its regime; what hangs under the base needs a supporting pair;
 *  - a command may take effect from its publication on: a SYNC before it may be complete at once, unseen;
 *  - the words of an STE or CD are fetched one by one: any combination of values that they had is a fact;
 *  - a premise that is not in F is never there.
 */
import { CD, cdInputBits, cdLegal, cdOutputBits, cdStartLevel, cdTableFrame } from '../../../src/spec/cd.js';
import { getField } from '../../../src/spec/bits.js';
import { decodeCommand, newCommand, OP, type Command } from '../../../src/spec/command.js';
import { BIT_AF, descriptorKind, LEAF, leafFrame, TABLE, tableFrame } from '../../../src/spec/descriptor.js';
import { STE, steAction } from '../../../src/spec/ste.js';
import type { Memory } from '../../../src/memory/memory.js';
import { cdFeatures, steFeatures } from '../../../src/stack/machine.js';
import { OAS, type SmmuConfig } from '../../../src/stack/world.js';
import { mustRemove } from './literal-match.js';

const NEVER = Infinity;

/** One 64-bit word a fact was read from, with the value it had. */
interface OwnWord {
  readonly ref: number;
  readonly lo: number;
  readonly hi: number;
}

export interface LiteralRegime {
  readonly key: string;
  readonly asid: number;
  readonly frame: number;
  readonly startLevel: number;
  readonly outputBits: number;
}

export interface LiteralFact {
  readonly kind: 'ste' | 'cd' | 'table' | 'leaf';
  /** Value and derivation. */
  readonly id: string;
  /** Value and tags only: what is compared with the incremental machine. */
  readonly name: string;
  readonly own: readonly OwnWord[];
  /** The fact it is derived from (CD: STE; table and leaf: the table descriptor above), by id; null at the base. */
  readonly premise: string | null;
  /** Table and leaf: the regime. CD: the regime that it gives, if any. */
  readonly regime: LiteralRegime | null;
  /** When it came into F. */
  readonly born: number;
  readonly sid: number;
  /** STE and CD: 16 uint32. */
  readonly words: Uint32Array;
  /** Table and leaf: level of the descriptor, first frame and number of frames. */
  readonly level: number;
  readonly va: number;
  readonly frames: number;
}

interface Entry {
  readonly command: Command;
  /** Position since the beginning, without wrap. */
  readonly position: number;
  readonly visible: number;
  covered: boolean;
}

export class LiteralMachine {
  /** F: everything cached now, by id. */
  readonly facts = new Map<string, LiteralFact>();
  /** Everything that ever was in F, by id. */
  readonly ever = new Map<string, LiteralFact>();
  /** SYNCs completed; facts that some command of a SYNC had to remove: those that went, and those that came back. */
  syncs = 0;
  removed = 0;
  rebuilt = 0;
  readonly #memory: Memory;
  readonly #config: SmmuConfig;
  #now = 0;
  readonly #history = new Map<number, { time: number; lo: number; hi: number }[]>();
  /** Indices of words that ever changed, by slot. */
  readonly #used = new Map<number, number[]>();
  #streamRef = -1;
  #streams = 0;
  readonly #queue: Entry[] = [];
  #published = 0;
  readonly #queueRef: number;
  readonly #queueSize: number;

  constructor(memory: Memory, config: SmmuConfig, queueSlot: number, queueLog2: number) {
    this.#memory = memory;
    this.#config = config;
    this.#queueRef = queueSlot * 512;
    this.#queueSize = 2 ** queueLog2;
  }

  /** The word at `ref` has changed in memory. Whoever stores must say so: this machine does not watch, so that it cannot hide a watch that the other one forgot. */
  stored(ref: number): void {
    this.#now += 1;
    const slot = Math.floor(ref / 512);
    let history = this.#history.get(ref);
    if (history === undefined) {
      this.#history.set(ref, history = [{ time: -1, lo: 0, hi: 0 }]);
      this.#used.set(slot, [...(this.#used.get(slot) ?? []), ref % 512]);
    }
    history.push({ time: this.#now, lo: this.#memory.lo[ref] as number, hi: this.#memory.hi[ref] as number });
    this.#fill();
  }

  /** SMMUEN is 1 from now on. */
  enable(streamSlot: number, log2size: number): void {
    this.#now += 1;
    this.#streamRef = streamSlot * 512;
    this.#streams = 2 ** log2size;
    this.#fill();
  }

  /** PROD went `count` entries further. */
  publish(count: number): void {
    this.#now += 1;
    for (let i = 0; i < count; i += 1) {
      const ref = this.#queueRef + (this.#published % this.#queueSize) * 2;
      const raw = new Uint32Array([ref, ref + 1].flatMap((r) => [this.#memory.lo[r] as number, this.#memory.hi[r] as number]));
      this.#queue.push({ command: decodeCommand(raw, 0, newCommand()), position: this.#published, visible: this.#now, covered: false });
      this.#published += 1;
    }
  }

  /** Software has seen that the first `consumed` entries since the beginning are consumed: their SYNCs are complete. */
  observe(consumed: number): void {
    for (;;) {
      const sync = this.#queue.find((e) => e.command.op === OP.SYNC && !e.covered && e.position < consumed);
      if (sync === undefined) return;
      this.#now += 1;
      const C = this.#queue.filter((e) => !e.covered && e.position < sync.position);
      this.#sync(C);
      for (const e of C) e.covered = true;
      sync.covered = true;
    }
  }

  /** First ask every fact against F as it is, then remove, then refill from memory. */
  #sync(C: readonly Entry[]): void {
    this.syncs += 1;
    const gone: string[] = [];
    for (const f of this.facts.values()) {
      if (this.#when(f, C) === NEVER) gone.push(f.id);
      else if (!this.#holds(f.own, this.#now) && C.some((e) => mustRemove(e.command, f))) this.rebuilt += 1;
    }
    this.removed += gone.length;
    for (const id of gone) this.facts.delete(id);
    this.#fill();
  }

  /** The earliest moment at which f can be cached once all of K have taken effect and nothing else has. */
  #when(f: LiteralFact, K: readonly Entry[]): number {
    const must = K.filter((e) => mustRemove(e.command, f));
    if (must.length === 0) return f.born;
    let from = Math.max(...must.map((e) => e.visible));
    if (f.premise !== null) {
      const premise = this.facts.get(f.premise);
      from = Math.max(from, premise === undefined ? NEVER : this.#when(premise, must));
    }
    if ((f.kind === 'table' || f.kind === 'leaf') && f.premise === null) from = Math.max(from, this.#whenRegime(f.regime as LiteralRegime, must));
    return Math.max(from, ...f.own.map((w) => this.#firstHeld(w, from)));
  }

  /** Words are fetched one by one (§3.21.3): each needs a moment of its own. */
  #firstHeld(w: OwnWord, from: number): number {
    for (let t = from; t <= this.#now; t += 1) if (this.#holds([w], t)) return t;
    return NEVER;
  }

  /** A regime passes K on to the STE and CD facts that support it; it is there as soon as any pair is. */
  #whenRegime(regime: LiteralRegime, K: readonly Entry[]): number {
    let first = NEVER;
    for (const cd of this.facts.values()) {
      if (cd.kind !== 'cd' || cd.regime?.key !== regime.key) continue;
      const ste = this.facts.get(cd.premise as string);
      if (ste !== undefined) first = Math.min(first, Math.max(this.#when(ste, K), this.#when(cd, K)));
    }
    return first;
  }

  #holds(own: readonly OwnWord[], time: number): boolean {
    return own.every((w) => {
      const at = (this.#history.get(w.ref) ?? []).findLast((h) => h.time <= time) ?? { lo: 0, hi: 0 };
      return at.lo === w.lo && at.hi === w.hi;
    });
  }

  /** Eager: whatever can be derived from memory and F as they are is in F. (A Map also visits what is added meanwhile.) */
  #fill(): void {
    for (let sid = 0; sid < this.#streams; sid += 1) this.#addEntry('ste', sid, this.#streamRef + sid * 8, null);
    for (const f of this.facts.values()) this.#derive(f);
  }

  #derive(f: LiteralFact): void {
    switch (f.kind) {
      case 'ste': {
        if (steAction(f.words, 0, steFeatures()) !== 'stage1') return;
        const address = getField(f.words, STE.S1ContextPtr) * 64;
        const slot = this.#memory.slotOf(Math.floor(address / 4096));
        this.#addEntry('cd', f.sid, slot * 512 + (address % 4096) / 8, f.id);
        return;
      }
      case 'cd':
        if (f.regime !== null && this.facts.has(f.premise as string)) this.#readPage(f.regime, null, f.regime.frame, f.regime.startLevel, 0);
        return;
      case 'table': {
        const word = f.own[0] as OwnWord;
        this.#readPage(f.regime as LiteralRegime, f, tableFrame(word.lo, word.hi), f.level + 1, f.va);
        return;
      }
      case 'leaf': return;
    }
  }

  /** Every combination of the words that facts of this entry have and those that memory holds. */
  #addEntry(kind: 'ste' | 'cd', sid: number, ref: number, premise: string | null): void {
    const facts = [...this.facts.values()].filter((f) => f.kind === kind && f.sid === sid && f.premise === premise && f.own[0]?.ref === ref);
    let combinations: OwnWord[][] = [[]];
    for (let i = 0; i < 8; i += 1) {
      const values = new Map<string, OwnWord>();
      for (const w of [...facts.map((f) => f.own[i] as OwnWord), { ref: ref + i, lo: this.#memory.lo[ref + i] as number, hi: this.#memory.hi[ref + i] as number }]) values.set(`${w.hi}:${w.lo}`, w);
      combinations = combinations.flatMap((c) => [...values.values()].map((w) => [...c, w]));
    }
    for (const own of combinations) this.#addCombination(kind, sid, ref, premise, own);
  }

  #addCombination(kind: 'ste' | 'cd', sid: number, ref: number, premise: string | null, own: readonly OwnWord[]): void {
    const words = Uint32Array.from(own.flatMap((w) => [w.lo, w.hi]));
    const id = `${kind} ${sid} ${ref} ${words.join(',')}${premise === null ? '' : ` through ${premise}`}`;
    if (this.facts.has(id)) return;
    const regime = kind === 'cd' ? this.#regimeOf(words) : null;
    this.#add({ kind, id, name: id, own, premise, regime, born: this.#now, sid, words, level: -1, va: 0, frames: 0 });
  }

  #regimeOf(words: Uint32Array): LiteralRegime | null {
    if (!cdLegal(words, 0, cdFeatures(this.#config))) return null;
    const asid = getField(words, CD.ASID);
    const frame = cdTableFrame(words, 0);
    const startLevel = cdStartLevel(words, 0);
    const outputBits = cdOutputBits(words, 0, OAS);
    return { key: `${asid}/${frame}/${startLevel}/${cdInputBits(words, 0)}/${outputBits}`, asid, frame, startLevel, outputBits };
  }

  #readPage(regime: LiteralRegime, above: LiteralFact | null, frame: number, level: number, base: number): void {
    const slot = this.#memory.slotOf(frame);
    const frames = 512 ** (3 - level);
    for (const index of this.#used.get(slot) ?? []) {
      const ref = slot * 512 + index;
      const lo = this.#memory.lo[ref] as number;
      const hi = this.#memory.hi[ref] as number;
      const kind = kindOf(lo, hi, level, regime.outputBits);
      if (kind === null) continue;
      const id = `${above?.id ?? regime.key}/${ref}=${hi}:${lo}`;
      if (this.facts.has(id)) continue;
      const va = base + index * frames;
      this.#add({
        kind, id, name: `${kind} ${regime.key} level ${level} va ${va} ${hi}:${lo}`, own: [{ ref, lo, hi }], premise: above?.id ?? null, regime,
        born: this.#now, sid: -1, words: new Uint32Array(0), level, va, frames,
      });
    }
  }

  #add(f: LiteralFact): void {
    this.facts.set(f.id, f);
    this.ever.set(f.id, f);
  }

  /** Does memory still say what the fact says, word for word? */
  standing(f: LiteralFact): boolean {
    return this.#holds(f.own, this.#now);
  }

  /** Names of all facts of these kinds. */
  names(kinds: readonly LiteralFact['kind'][]): Set<string> {
    const names = new Set<string>();
    for (const f of this.facts.values()) if (kinds.includes(f.kind)) names.add(f.name);
    return names;
  }
}

/** What may be cached of this word. */
function kindOf(lo: number, hi: number, level: number, outputBits: number): 'table' | 'leaf' | null {
  const limit = 2 ** (outputBits - 12);
  switch (descriptorKind(lo, level, 12)) {
    case TABLE: return tableFrame(lo, hi) < limit ? 'table' : null;
    case LEAF: return (lo & BIT_AF) !== 0 && leafFrame(lo, hi, level) < limit ? 'leaf' : null;
    default: return null;
  }
}
