/**
 * The adversary: one random legal SMMU with one concrete cache content (IHI 0070 §3.21.1, §3.21.3, §4.7.3). At moments that luck chooses it fetches what is
 * reachable from memory or from what it has cached, forgets, lets a published command take effect, and completes a SYNC. Nothing is ever judged or
 * remembered here: an entry is there because it was fetched and no command has removed it since.
 *
 * What makes each freedom legal: structures are fetched a 64-bit word at a time in any order and may be cached in part (§3.21.3); several TBUs may each have
 * a copy; a table descriptor in a walk cache is used by any walk with its tags (§3.3.3); commands between two SYNCs take effect in any order at any
 * moment from when they are published; those behind a SYNC only once it is complete, which the SMMU may be long before software looks (§4.7.3).
 */
import type { Memory } from '../../src/memory/memory.js';
import type { Chooser } from '../../src/stack/chooser.js';
import type { Command } from '../../src/spec/command.js';
import { OP } from '../../src/spec/command.js';
import type { Features } from '../../src/spec/features.js';
import { mustRemoveAtc, mustRemoveStructure, mustRemoveTranslation, type AtcTag, type Settings, type StructureTag, type TranslationTag } from './adversary-match.js';
import { configurations, structuresInReach, walkOf, type Configuration, type Reach } from './adversary-config.js';
import { answersForAtc, combinedLeaves, descriptorsBelow, rootDescriptors, throughStage2 } from './adversary-walk.js';
import type { TableContext } from '../../src/spec/tables.js';

/** A structure of which the words that were read so far are cached. */
export interface CachedStructure extends StructureTag {
  /** Bytes. */
  readonly address: number;
  readonly lo: (number | undefined)[];
  readonly hi: (number | undefined)[];
}

export interface CachedTranslation extends TranslationTag {
  readonly nested: boolean;
  readonly context: TableContext;
  readonly lo: number;
  readonly hi: number;
  readonly va: number;
  readonly frames: number;
  readonly target: number;
  /** Table that can be read: where [first, first + count) of its entries are, from word `offset` of frame `page` on. */
  readonly part: { readonly page: number; readonly offset: number; readonly first: number; readonly count: number } | null;
  /** Combined leaf: word of the stage-2 leaf, and the IPA frame in between. */
  readonly second: { readonly lo: number; readonly hi: number; readonly ipa: number } | null;
}

export interface CachedAnswer extends AtcTag {
  readonly target: number;
  readonly split: boolean;
  readonly canRead: boolean;
  readonly canWrite: boolean;
}

/** How this one behaves, in parts of 100 at each moment. */
export interface Temper {
  readonly fetch: number;
  readonly forget: number;
  readonly effect: number;
  readonly complete: number;
}

export const TEMPERS: readonly Temper[] = [
  { fetch: 50, forget: 3, effect: 15, complete: 30 },
  { fetch: 50, forget: 3, effect: 70, complete: 60 },
  { fetch: 90, forget: 0, effect: 2, complete: 5 },
  { fetch: 90, forget: 1, effect: 50, complete: 90 },
  { fetch: 25, forget: 10, effect: 35, complete: 30 },
  { fetch: 10, forget: 2, effect: 40, complete: 50 },
];

/** What the SMMU is told by its registers. */
export interface Setup {
  readonly features: Features;
  readonly settings: Settings;
  /** Stream table: bytes; log2 of its streams; 0: linear, else the split. */
  readonly streams: number;
  readonly streamsLog2: number;
  readonly split: number;
}

interface Waiting {
  readonly command: Command;
  readonly batch: number;
}

const MOST_COPIES = 3;

export class Adversary implements Reach {
  readonly memory: Memory;
  readonly setup: Setup;
  /** Words of a frame that were ever stored: only there can anything be found. */
  readonly used: ReadonlyMap<number, readonly number[]>;
  readonly structures: CachedStructure[] = [];
  readonly translations = new Map<string, CachedTranslation>();
  readonly atc = new Map<string, CachedAnswer>();
  readonly ats = new Set<number>();
  effects = 0;
  readonly #c: Chooser;
  readonly #temper: Temper;
  #waiting: Waiting[] = [];
  /** SYNCs published, complete. */
  #published = 0;
  #complete = 0;

  constructor(memory: Memory, setup: Setup, used: ReadonlyMap<number, readonly number[]>, [chooser, temper]: readonly [Chooser, Temper]) {
    this.memory = memory;
    this.setup = setup;
    this.used = used;
    this.#c = chooser;
    this.#temper = temper;
  }

  /** PROD moved over these commands. Those that need do nothing are left out by whoever publishes. */
  publish(commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.op === OP.SYNC) this.#published += 1;
      else this.#waiting.push({ command, batch: this.#published });
    }
  }

  /** Software sees the first `syncs` SYNCs complete: what they cover has taken effect by now, in some order. */
  observe(syncs: number): void {
    while (this.#complete < syncs) {
      for (let own = this.#open(); own.length > 0; own = this.#open()) {
        this.#effect(own[this.#c.index(own.length)] as Waiting);
        if (this.#chance(this.#temper.fetch)) this.#fetch();
      }
      this.#complete += 1;
    }
  }

  /** A moment passes. */
  moment(): void {
    const rounds = 1 + this.#c.index(2);
    for (let i = 0; i < rounds; i += 1) {
      if (this.#chance(this.#temper.forget)) this.#forget();
      const open = this.#open();
      if (open.length > 0 && this.#chance(this.#temper.effect)) this.#effect(open[this.#c.index(open.length)] as Waiting);
      if (open.length === 0 && this.#complete < this.#published && this.#chance(this.#temper.complete)) this.#complete += 1;
      if (this.#chance(Math.max(50, this.#temper.fetch))) this.#fetch();
    }
  }

  /** Commands that may take effect: no incomplete SYNC before them. */
  #open(): Waiting[] {
    return this.#waiting.filter((w) => w.batch === this.#complete);
  }

  #effect(w: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(w), 1);
    this.effects += 1;
    const c = w.command;
    const keep = this.structures.filter((e) => !mustRemoveStructure(c, e));
    this.structures.splice(0, this.structures.length, ...keep);
    for (const [name, e] of this.translations) if (mustRemoveTranslation(c, e, this.setup.settings)) this.translations.delete(name);
    if (!this.ats.has(c.sid)) return; // an endpoint with ATS off answers Unsupported Request
    for (const [name, e] of this.atc) if (mustRemoveAtc(c, e)) this.atc.delete(name);
  }

  #forget(): void {
    const all = this.#chance(10);
    for (let i = this.structures.length - 1; i >= 0; i -= 1) if (all || this.#chance(30)) this.structures.splice(i, 1);
    for (const name of [...this.translations.keys()]) if (all || this.#chance(30)) this.translations.delete(name);
    if (this.#chance(30)) for (const name of [...this.atc.keys()]) if (this.#chance(30)) this.atc.delete(name);
  }

  /** Everything in reach, each with the probability of the temper; what is fetched may lead further at once. */
  #fetch(): void {
    for (const kind of ['l1std', 'ste', 'l1cd', 'cd'] as const) for (const s of structuresInReach(this, kind)) this.#readStructure(s);
    const known = configurations(this);
    for (const k of new Map(known.map((way) => [walkOf(way), way])).values()) this.#take(rootDescriptors(this, k));
    // A Map also visits what is added meanwhile.
    for (const e of this.translations.values()) {
      if (!this.#luck() || !usable(e, known)) continue;
      this.#take(e.kind === 'table' ? [...descriptorsBelow(this, e), ...throughStage2(this, e)] : combinedLeaves(this, e));
    }
    for (const sid of this.ats) for (const [name, a] of answersForAtc(this, known, sid)) if (this.#luck()) this.atc.set(name, a);
  }

  #take(found: Iterable<CachedTranslation>): void {
    for (const e of found) if (this.#luck()) this.translations.set(nameOfTranslation(e), e);
  }

  /** Some of the words, as they are now: of a new copy, or of one that is there. */
  #readStructure(s: StructureTag & { readonly address: number; readonly words: number }): void {
    const copies = this.structures.filter((e) => e.kind === s.kind && e.sid === s.sid && e.index === s.index && e.address === s.address);
    let copy = copies[this.#c.index(copies.length + 1)];
    if (copy === undefined) {
      if (!this.#luck()) return;
      copy = { kind: s.kind, sid: s.sid, index: s.index, span: s.span, address: s.address, lo: [], hi: [] };
      for (let i = 0; i < s.words; i += 1) { copy.lo.push(undefined); copy.hi.push(undefined); }
      if (copies.length >= MOST_COPIES) this.structures.splice(this.structures.indexOf(copies[this.#c.index(copies.length)] as CachedStructure), 1);
      this.structures.push(copy);
    }
    const whole = this.#chance(40);
    const slot = this.memory.slotOf(Math.floor(s.address / 4096));
    if (slot < 0) return;
    const ref = slot * 512 + (s.address % 4096) / 8;
    for (let i = 0; i < s.words; i += 1) {
      if (!whole && !this.#chance(copy.lo[i] === undefined ? 60 : 25)) continue;
      copy.lo[i] = this.memory.lo[ref + i] as number;
      copy.hi[i] = this.memory.hi[ref + i] as number;
    }
  }

  #luck(): boolean {
    return this.#chance(this.#temper.fetch);
  }

  #chance(percent: number): boolean {
    return this.#c.index(100) < percent;
  }
}

/** Is there a cached STE (and CD) whose walks have these tags? Without one nothing walks (§3.21.1). */
function usable(e: CachedTranslation, known: readonly Configuration[]): boolean {
  if (e.kind === 'leaf') return true;
  return known.some((k) => k.stage === (e.stage === 2 ? 2 : 1) && k.nested === e.nested && k.world === e.world && k.vmid === e.vmid && k.asid === e.asid);
}

export function nameOfTranslation(e: Pick<CachedTranslation, 'kind' | 'world' | 'vmid' | 'asid' | 'stage' | 'tg' | 'level' | 'va' | 'frames' | 'target' | 'lo' | 'hi'> & { readonly second: { readonly lo: number; readonly hi: number } | null }): string {
  return `${e.kind} world ${e.world} vmid ${e.vmid} asid ${e.asid} stage ${e.stage} ${e.tg}/${e.level} ${e.va}+${e.frames}>${e.target} ${e.hi}:${e.lo}${e.second === null ? '' : ` ${e.second.hi}:${e.second.lo}`}`;
}

export function nameOfWord(e: StructureTag & { readonly address: number }, word: number, lo: number, hi: number): string {
  return `${e.kind} ${e.sid} ${e.index} at ${e.address} word ${word} ${hi}:${lo}`;
}

export function nameOfAnswer(e: CachedAnswer): string {
  return `atc ${e.sid} ${e.ssid} ${e.va}+${e.frames}>${e.target} ${e.split ? 'split ' : ''}${e.canRead ? 'r' : ''}${e.canWrite ? 'w' : ''}`;
}
