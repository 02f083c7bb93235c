/**
 * Accesses: each recorded translation, bypass and fault against what the weakest machine may answer, and against what the recorded driver meant. A device
 * is an actor of its own: the lines around an access may really have come on its other side, so an answer that is permitted before the line in front of
 * it, or behind the line after it, is permitted. What no order permits: words of the walk that memory never held contradict the recording; a
 * translation that was taken away and due is the proof that something stale was used.
 */
import { EVENT } from '../spec/event.js';
import { levelShift, stride, type Tg } from '../spec/granule.js';
import type { Recorded, RecordedWhat, WalkStep } from '../captures/recorded.js';
import type { Ledger } from '../rules/ledger.js';
import { newOutcome, setAbort, setFault, setOk, type Outcome } from '../stack/outcome.js';
import type { Lives } from './lives.js';
import { Contradiction, type RecordedMachine } from './machine.js';
import type { AccessCounts } from './types.js';
import type { Breach, User } from './weakest.js';

type Access = Extract<RecordedWhat, { readonly kind: 'xlat' | 'bypass' | 'fault' }>;

export interface Refused {
  readonly line: number;
  readonly text: string;
  readonly breach: Breach;
}

/** What one order of the lines says to an access. */
interface Opinion {
  readonly permitted: boolean;
  readonly meant: boolean;
}

const PAGE = 4096;

export class Accesses {
  readonly counts: AccessCounts = { seen: 0, permitted: 0, reordered: 0, skipped: 0 };
  readonly #machine: RecordedMachine;
  readonly #lives: Lives;
  readonly #ledger: Ledger;
  readonly #out: Outcome = newOutcome();
  #early: { readonly line: number; readonly opinion: Opinion | null } | null = null;
  #late: { readonly r: Recorded; readonly now: Opinion } | null = null;

  constructor(machine: RecordedMachine, lives: Lives, ledger: Ledger) {
    this.#machine = machine;
    this.#lives = lives;
    this.#ledger = ledger;
  }

  /** The line behind the one that is about to be taken is an access: what would it get if it really came first? */
  before(next: Recorded): void {
    this.#early = { line: next.line, opinion: this.#opinion(next.what as Access) };
  }

  /** Now `more`: the line behind it may really have come first as well. */
  judge(r: Recorded, more: boolean): Refused | null {
    this.counts.seen += 1;
    const now = this.#opinion(r.what as Access);
    const early = this.#early?.line === r.line ? this.#early.opinion : null;
    this.#early = null;
    if (now === null) { this.counts.skipped += 1; return null; }
    this.#ledger.judge('machine-refinement');
    if (now.permitted && now.meant) { this.counts.permitted += 1; return null; }
    if (early !== null && early.permitted && early.meant) { this.counts.permitted += 1; this.counts.reordered += 1; return null; }
    if (!more) return this.#refuse(r, now);
    this.#late = { r, now };
    return null;
  }

  /** The line behind an access that was not permitted was taken: is it now? */
  after(): Refused | null {
    const late = this.#late;
    if (late === null) return null;
    this.#late = null;
    const opinion = this.#opinion(late.r.what as Access);
    if (opinion === null || (opinion.permitted && opinion.meant)) { this.counts.permitted += 1; this.counts.reordered += 1; return null; }
    return this.#refuse(late.r, late.now);
  }

  /** Null: the machine cannot say. */
  #opinion(w: Access): Opinion | null {
    const m = this.#machine.weakest;
    if (m === null || !this.#machine.enabled) return null;
    const frame = this.#frame(w);
    if (frame < 0) return null;
    this.#expect(w);
    const permitted = m.permits({ ...userOf(w), frame }, this.#out);
    return { permitted, meant: !permitted || w.kind !== 'xlat' || this.#meant(w) };
  }

  #expect(w: Access): void {
    const out = this.#out;
    if (w.kind === 'xlat') setOk(out, Math.floor(w.pa / PAGE));
    else if (w.kind === 'bypass') setOk(out, Math.floor(w.iova / PAGE));
    else if (Object.hasOwn(EVENT, w.type)) setFault(out, EVENT[w.type as keyof typeof EVENT]);
    else setAbort(out);
  }

  /** The frame of an access; of a fault recorded with its walk alone, the lowest one that takes this walk. -1: unknown. */
  #frame(w: Access): number {
    if (w.iova >= 0) return Math.floor(w.iova / PAGE);
    if (w.kind !== 'fault' || w.walk.length === 0) return -1;
    const start = this.#machine.weakest?.start(w.sid) ?? null;
    if (start === null) return -1;
    const tg = start.tg as Tg;
    let iova = 0;
    w.walk.forEach((step, i) => {
      const level = start.level + i;
      if (level <= 3) iova += (Math.floor(step.at / 8) % 2 ** stride(tg)) * 2 ** levelShift(tg, level);
    });
    return Math.floor(iova / PAGE);
  }

  /** Does the domain that the stream is attached to mean this translation, or is it only just taking it away? */
  #meant(w: Extract<Access, { readonly kind: 'xlat' }>): boolean {
    let known = false;
    for (const domain of this.#machine.weakest?.lives(userOf(w)) ?? []) {
      const life = this.#lives.numbered(domain);
      if (life === undefined || !life.alive) continue;
      known = true;
      const iova = w.iova - (w.iova % PAGE);
      if (life.permits(iova, PAGE, w.pa - (w.pa % PAGE), false)) return true;
    }
    return !known;
  }

  #refuse(r: Recorded, now: Opinion): Refused {
    const w = r.what as Access;
    const broken = w.kind === 'bypass' ? null : this.#brokenWalk(w.walk);
    if (!now.permitted && broken !== null) throw new Contradiction(broken);
    const got = w.kind === 'xlat' ? `0x${w.pa.toString(16)}` : w.kind === 'bypass' ? 'bypass' : w.type;
    const where = w.iova >= 0 ? `0x${w.iova.toString(16)}` : `0x${(this.#frame(w) * PAGE).toString(16)}`;
    const text = `stream ${w.sid} accesses ${where} and gets ${got}`;
    if (now.permitted) {
      this.#ledger.countViolated('stale-translation');
      return { line: r.line, text, breach: { rule: 'stale-translation', cause: 'a device used a translation that was taken away', expected: `${where}: ${this.#described(w)}`, actual: `the device of stream ${w.sid} got ${got}`, place: null, from: null } };
    }
    this.#ledger.countViolated('machine-refinement');
    return { line: r.line, text, breach: { rule: 'machine-refinement', cause: 'the device got what no SMMU may answer here', expected: `one of: ${this.#permittedText(w)}`, actual: `the device of stream ${w.sid} got ${got} for ${where}`, place: null, from: null } };
  }

  #described(w: Access): string {
    for (const domain of this.#machine.weakest?.lives(userOf(w)) ?? []) {
      const life = this.#lives.numbered(domain);
      if (life !== undefined) return life.describe(w.iova - (w.iova % PAGE));
    }
    return 'not mapped';
  }

  #permittedText(w: Access): string {
    return (this.#machine.weakest?.reasons({ ...userOf(w), frame: Math.max(0, this.#frame(w)) }) ?? []).join(', ');
  }

  /** A descriptor that the walk read and memory does not hold, in words. */
  #brokenWalk(walk: readonly WalkStep[]): string | null {
    for (const step of walk) {
      const slot = this.#machine.memory.knownSlot(Math.floor(step.at / PAGE));
      if (slot < 0) continue;
      const ref = slot * 512 + (step.at % PAGE) / 8;
      if (this.#machine.memory.lo[ref] !== step.lo || this.#machine.memory.hi[ref] !== step.hi) {
        return `the walk reads 0x${(BigInt(step.hi) * 0x100000000n + BigInt(step.lo)).toString(16)} at 0x${step.at.toString(16)}, where the stores left 0x${
          (BigInt(this.#machine.memory.hi[ref] as number) * 0x100000000n + BigInt(this.#machine.memory.lo[ref] as number)).toString(16)}`;
      }
    }
    return null;
  }
}

function userOf(w: Access): User {
  return { sid: w.sid, ssid: w.ssid };
}
