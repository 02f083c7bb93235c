/**
 * Ledger: every rule by its claim and source, and how often it was armed and decided. *Armed*: a concrete fact or
 * command existed that the rule could have condemned; *decided*: it was then judged. Evaluating with nothing at stake
 * counts nowhere.
 */
import { RULE_IDS, violate, type FactPlace, type RuleId } from '../stack/violation.js';

export interface RuleText {
  readonly id: RuleId;
  readonly claim: string;
  readonly source: string;
  readonly cost: string;
  /** Asked of the driver, of raw machine sequences, or of both; of the driver in systems alone (then those of SYSTEM_RULES are asked too). */
  readonly where: 'driver' | 'machine' | 'both' | 'system';
}

export const RULES: readonly RuleText[] = [
  { id: 'stale-translation', claim: 'when the call that promises it returns, no translation that was taken away can be used any more', source: 'IHI 0070 §3.21.1, §4.4, §4.7.3', cost: 'one look per recorded stale fact, at sync, flush-all and every access', where: 'both' },
  { id: 'stale-walk', claim: 'when a table page is freed, no cached table descriptor points to it', source: 'IHI 0070 §3.21.1 (walk caches), §4.4.1.1 Leaf = 0', cost: 'one lookup per freed page', where: 'both' },
  { id: 'stale-configuration', claim: 'after each CFGI and SYNC of the entry writer, and when attach or detach returns, no older STE or CD can be used', source: 'IHI 0070 §3.21.3, §4.3', cost: 'the facts of the streams concerned, at each sync of an entry', where: 'both' },
  { id: 'use-after-free', claim: 'nothing that memory or a cache still points to is freed; no freed driver object is read', source: 'IHI 0070 §3.21.3.1; RCU rules of the invalidation array', cost: 'one lookup per freed page or object', where: 'both' },
  { id: 'isolation', claim: 'a device reaches only what its domain maps; no two live domains share a tag on one SMMU', source: 'IHI 0070 §3.3.3, §3.17, §5.4.1', cost: 'one look per new leaf; the regimes of a tag at attach', where: 'driver' },
  { id: 'range-coverage', claim: 'the planned commands reach every leaf and table that the description names', source: 'IHI 0070 §4.4.1.1; seed 0', cost: 'interval arithmetic over the planned commands', where: 'driver' },
  { id: 'over-invalidation', claim: 'planned ranges reach no further beyond the description than the planner promises (a whole-tag flush is no range); what is described for an mm lies inside of what its notifier was given', source: 'seed 0: one range command over-invalidates by less than a sixteenth', cost: 'one subtraction per planned command', where: 'driver' },
  { id: 'command-bound', claim: 'a plan has no more commands than the planner promises, with range support and without; else the whole tag', source: 'seed 0: one range command, or at most 512 single ones', cost: 'one comparison per plan', where: 'driver' },
  { id: 'illegal-command', claim: 'no command is reserved, unsupported or UNPREDICTABLE', source: 'IHI 0070 §4.1.3–4.1.7, §4.4.1.1', cost: 'one check per command, when it is planned and when it is consumed', where: 'both' },
  { id: 'queue-integrity', claim: 'published commands stay as they are until consumed; PROD never passes CONS by more than the queue holds', source: 'IHI 0070 §3.5, §3.21.2', cost: 'one check per PROD write and per store to a queue page', where: 'both' },
  { id: 'translation-equivalence', claim: 'a device gets what its owner intends: the mapped frame, or the right fault', source: 'the reference driver', cost: 'every access; all tables once at the end of a run', where: 'driver' },
  { id: 'machine-refinement', claim: 'what a concrete machine answers and caches is among what the weakest machine may answer and cache', source: 'machine refinement: an implementation does only what the architecture lets it', cost: 'every insert, every SYNC, every access', where: 'both' },
  { id: 'api-result', claim: 'both drivers return the same: sizes, errors, iova-to-phys', source: 'the reference driver', cost: 'every operation', where: 'driver' },
  { id: 'progress', claim: 'every call ends within its step budget', source: 'stack/violation Stuck', cost: 'a counter', where: 'driver' },
  { id: 'accounting', claim: 'nothing is freed twice, and at the end nothing is left over', source: 'memory/pages', cost: 'once per run and per free', where: 'driver' },
  { id: 'stale-atc', claim: 'once software relies on it, no endpoint can use a translation from its ATC that was taken away', source: 'IHI 0070 §3.9.1, §4.5.1, §4.7.3', cost: 'the permitted answers of one claim', where: 'machine' },
  { id: 'stale-event', claim: 'after a CMD_SYNC no event record appears that an earlier transaction caused', source: 'IHI 0070 §4.7.3, §7.2', cost: 'one look at the event queue per operation', where: 'machine' },
  { id: 'break-before-make', claim: 'where the architecture asks for it, software makes an entry invalid, invalidates and syncs before it writes the new one', source: 'IHI 0070 §3.21.1.3; VMSAv8-64 break-before-make, IDR3.BBML', cost: 'one look per changed descriptor', where: 'machine' },
  { id: 'dirty-tracking', claim: 'no page is written through a translation that does not mark it dirty', source: 'IHI 0070 §3.13', cost: 'the permitted answers of one claim', where: 'machine' },
  { id: 'tag-lifetime', claim: 'a tag (ASID, VMID) is used again only when nothing of its former owner can be used any more', source: 'IHI 0070 §3.17, §3.21.1, §4.4', cost: 'the permitted answers of one claim', where: 'machine' },
  { id: 'table-coherency', claim: 'after a map and its sync have returned, the walker sees every descriptor of the range; what an unmap cleared is cleared for the walker before its invalidation is issued', source: 'IHI 0070 §3.15, IDR0.COHACC; seed 2', cost: 'the ways of the range, at the end of each call; non-coherent walkers only', where: 'driver' },
  { id: 'publication', claim: 'the walker never sees a pointer to a table whose contents it cannot see', source: 'IHI 0070 §3.15, §3.21.1; seed 2', cost: 'the lines of a table, at the store of each pointer to it; non-coherent walkers only', where: 'driver' },
  { id: 'clean-bound', claim: 'a call cleans no more lines than it touched: leaves written or synced, and the tables it installed', source: 'seed 2', cost: 'one comparison per call; non-coherent walkers only', where: 'driver' },
  { id: 'hitless', claim: 'while an STE or CD that a stream reaches is rewritten, the SMMU may read the old entry, the new one, or V = 0 where two words must change', source: 'IHI 0070 §3.21.3, §5.2, §5.4; the entry writer of the kernel', cost: 'the meaning of one entry per store', where: 'system' },
];

/** Rules that are asked of the driver on the fast machines. */
export const DRIVER_RULES: readonly RuleId[] = RULES.filter((r) => r.where === 'driver' || r.where === 'both').map((r) => r.id);

/** Rules that are asked of systems, on the whole machines. */
export const SYSTEM_RULES: readonly RuleId[] = [
  'stale-translation', 'stale-walk', 'stale-configuration', 'use-after-free', 'isolation', 'range-coverage', 'over-invalidation', 'command-bound', 'illegal-command', 'queue-integrity',
  'translation-equivalence', 'machine-refinement', 'api-result', 'progress', 'accounting', 'stale-atc', 'break-before-make', 'tag-lifetime', 'hitless',
];

/** Rules that random machine sequences ask: the others need software that is judged, or claims, which stored cases have. */
export const RAW_RULES: readonly RuleId[] = ['machine-refinement', 'stale-event'];

/** Rules that sequences on one page table ask. */
export const TABLE_RULES: readonly RuleId[] = [
  'stale-translation', 'stale-walk', 'use-after-free', 'isolation', 'illegal-command', 'translation-equivalence', 'machine-refinement', 'api-result', 'progress', 'accounting',
  'break-before-make', 'dirty-tracking', 'table-coherency', 'publication', 'clean-bound',
];

const INDEX = new Map<RuleId, number>(RULE_IDS.map((id, i) => [id, i]));

/** The place of a rule in the counters: hot rules look it up once. */
export function ruleIndex(id: RuleId): number {
  return INDEX.get(id) as number;
}

export interface RuleCount {
  armed: number;
  decided: number;
  violated: number;
}

export class Ledger {
  readonly #armed = new Float64Array(RULE_IDS.length);
  readonly #decided = new Float64Array(RULE_IDS.length);
  readonly #violated = new Float64Array(RULE_IDS.length);

  arm(rule: RuleId, n = 1): void {
    const i = INDEX.get(rule) as number;
    this.#armed[i] = (this.#armed[i] as number) + n;
  }

  decide(rule: RuleId, n = 1): void {
    const i = INDEX.get(rule) as number;
    this.#decided[i] = (this.#decided[i] as number) + n;
  }

  /** Armed and judged in one step. */
  judge(rule: RuleId, n = 1): void {
    this.arm(rule, n);
    this.decide(rule, n);
  }

  /** The same by `ruleIndex`. */
  judgeAt(index: number, n = 1): void {
    this.#armed[index] = (this.#armed[index] as number) + n;
    this.#decided[index] = (this.#decided[index] as number) + n;
  }

  /** A rule that a machine judges by itself (illegal-command, queue-integrity) broke. */
  countViolated(rule: RuleId): void {
    const i = INDEX.get(rule) as number;
    this.#violated[i] = (this.#violated[i] as number) + 1;
  }

  /** Judged and broken. */
  fail(rule: RuleId, cause: string, expected: string, actual: string, fact?: FactPlace, because: readonly string[] = []): never {
    this.countViolated(rule);
    violate({ rule, cause, expected, actual, because, ...(fact === undefined ? {} : { fact }) });
  }

  add(other: Ledger): void {
    for (let i = 0; i < RULE_IDS.length; i += 1) {
      this.#armed[i] = (this.#armed[i] as number) + (other.#armed[i] as number);
      this.#decided[i] = (this.#decided[i] as number) + (other.#decided[i] as number);
      this.#violated[i] = (this.#violated[i] as number) + (other.#violated[i] as number);
    }
  }

  counts(): Record<RuleId, RuleCount> {
    const out = {} as Record<RuleId, RuleCount>;
    for (const [id, i] of INDEX) {
      out[id] = { armed: this.#armed[i] as number, decided: this.#decided[i] as number, violated: this.#violated[i] as number };
    }
    return out;
  }
}
