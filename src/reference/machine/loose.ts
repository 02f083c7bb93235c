/**
 * Loose: which translations a SYNC can remove at all. A fact whose own word stands, below descriptors that stand, in a regime that some STE and CD in memory
 * support, is derivable at any moment, so `when` is never NEVER for it (justify.ts). While that holds of everything but leaves whose word went, those
 * leaves are all that has to be judged; as soon as a table descriptor, an STE or a CD is stale, or a descriptor above a cached leaf is gone, or a regime
 * is nested, everything is. It only saves time: a test judges both ways.
 */
import { isRegime, stands, type Fact, type LeafFact, type Regime, type TranslationFact } from './facts.js';

export class Loose {
  readonly #leaves = new Set<LeafFact>();
  /** Cached table descriptors whose word went. */
  #tables = 0;
  /** Has every cached fact the descriptor that it was read below? */
  #settled = true;

  /** Its word went. */
  ended(f: TranslationFact): void {
    if (!f.alive || f.ref < 0) return;
    if (f.kind === 'table') this.#tables += 1;
    else this.#leaves.add(f);
  }

  /** Its word stands again. */
  began(f: TranslationFact): void {
    if (f.kind === 'table') this.#tables -= 1;
    else this.#leaves.delete(f);
  }

  /** It is about to be forgotten; its word is as it was. */
  buried(f: TranslationFact): void {
    if (f.kind === 'leaf') this.#leaves.delete(f);
    else if (f.ref >= 0 && !stands(f)) this.#tables -= 1;
    if (f.kind === 'table') this.#settled = false;
  }

  /** What is left, after some was forgotten. */
  review(left: readonly TranslationFact[]): void {
    this.#settled ||= left.every((f) => f.premises.every((p) => isRegime(p) || p.alive));
  }

  /** The leaves that have to be judged; null: everything. */
  only(regimes: readonly Regime[]): readonly LeafFact[] | null {
    if (this.#tables > 0 || !this.#settled) return null;
    for (const r of regimes) if (r.nested || r.past.length > 0 || !r.supports.some((s) => s.facts.every(solid))) return null;
    return [...this.#leaves];
  }
}

function solid(f: Fact): boolean {
  return f.alive && stands(f) && f.premises.every((p) => isRegime(p) || solid(p));
}
