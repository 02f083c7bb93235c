/**
 * Sabotage: our own weakest machine, broken on purpose. A bug changes which commands it takes a SYNC to cover, which facts a SYNC may remove, how
 * the facts look to a lookup, or what it answers; the machine itself stays as it is.
 *
 * Stricter: it forgets what may still be cached, or permits less. QEMU shows that by an answer that is no longer permitted. Laxer: it permits more.
 * No answer shows that by itself; the claims of the corner cases do, and known deviations of QEMU that are no longer seen.
 */
import { newCommand, OP, type Command } from '../../src/spec/command.js';
import { CLASS_IN, EVENT } from '../../src/spec/event.js';
import type { Twins } from '../../src/lockstep/twins.js';
import type { Fact, LeafFact, Pending, TranslationFact } from '../../src/reference/machine/facts.js';
import { ReferenceMachine } from '../../src/reference/machine/machine.js';
import { isCfgi, type MatchContext } from '../../src/reference/machine/match.js';
import type { Memory } from '../../src/memory/memory.js';
import type { MachineConfig } from '../../src/stack/machine-world.js';
import { OUTCOME_FAULT, OUTCOME_OK } from '../../src/stack/outcome.js';
import type { Answer } from '../../src/stack/transaction.js';

type Judge = (K: readonly Pending[], m: MatchContext) => TranslationFact[];

interface Bug {
  /** What a SYNC covers, as far as translations are concerned. */
  readonly covers?: (K: readonly Pending[], machine: ReferenceMachine) => Pending[];
  /** Translations that a SYNC removes. */
  readonly removes?: (judge: Judge, K: readonly Pending[], m: MatchContext) => TranslationFact[];
  /** A translation as lookups see it. */
  readonly seen?: (f: TranslationFact) => TranslationFact;
  /** What is permitted where this was. */
  readonly answers?: (a: Answer, facts: readonly Fact[]) => readonly Answer[];
}

class Sabotaged extends ReferenceMachine {
  readonly #bug: Bug;

  constructor(memory: Memory, config: MachineConfig, bug: Bug) {
    super(memory, config);
    this.#bug = bug;
    const { tables, contexts: { store } } = this;
    const [own, apply, structures] = [tables.judge.bind(tables), tables.apply.bind(tables), store.judge.bind(store)];
    const covered: Judge = (K, m) => own(bug.covers?.(K, this) ?? K, m);
    const judge: Judge = (K, m) => bug.removes?.(covered, K, m) ?? covered(K, m);
    let gone: TranslationFact[] = []; // with a CFGI alone: then nobody judges translations
    store.judge = (K, m) => {
      gone = judge(K, m);
      return structures(K, m);
    };
    tables.judge = (K, m) => {
      gone = [];
      return judge(K, m);
    };
    tables.apply = (dead, queue) => {
      apply([...dead, ...gone], queue);
      gone = [];
    };
  }

  override permitted(...[mode, t, visit]: Parameters<ReferenceMachine['permitted']>): boolean {
    const { seen, answers } = this.#bug;
    const real = this.tables.translations;
    if (seen !== undefined) this.tables.translations = real.map(seen);
    try {
      return super.permitted(mode, t, (a, why, facts) => (answers?.(a, facts) ?? [a]).some((one) => visit(one, why, facts)));
    } finally {
      this.tables.translations = real;
    }
  }
}

/** Each command as it is taken. */
function taking(change: (c: Command) => Command | readonly Command[]): NonNullable<Bug['covers']> {
  return (K) => K.flatMap((p) => [change(p.command)].flat().map((command) => ({ command, visible: p.visible })));
}

const ranged = (change: (c: Command) => Partial<Command>): Bug => ({ covers: taking((c) => (c.tg === 0 ? c : { ...c, ...change(c) })) });

const hasAsid = (c: Command): boolean => c.op === OP.TLBI_NH_ASID || c.op === OP.TLBI_NH_VA;

/** The commands of every ASID for those of one. Global entries stay what they are. */
function ofEveryAsid(K: readonly Pending[], machine: ReferenceMachine): Pending[] {
  const asids = [...new Set(machine.tables.regimes.map((r) => r.asid).filter((asid) => asid >= 0))];
  return K.flatMap((p) => (hasAsid(p.command) ? [p, ...asids.map((asid) => ({ command: { ...p.command, asid }, visible: p.visible }))] : [p]));
}

function isGlobal(f: TranslationFact): boolean {
  return f.kind === 'leaf' && f.stage !== 2 && f.asid < 0 && f.regime.asid >= 0;
}

/** A fact with another ASID, for as long as somebody looks. */
function withAsid(f: TranslationFact, asid: number): TranslationFact {
  return Object.create(f, { asid: { value: asid } }) as TranslationFact;
}

/** A TLBI_NH_VA of another ASID leaves global entries. */
function globalOfItsAsid(judge: Judge, K: readonly Pending[], m: MatchContext): TranslationFact[] {
  const dead = judge(K, m);
  const stays = (f: TranslationFact): boolean => {
    const own = K.filter(({ command: c }) => c.op !== OP.TLBI_NH_VA || c.asid === f.regime.asid);
    return own.length < K.length && !judge(own, m).includes(f);
  };
  return dead.filter((f) => !isGlobal(f) || !stays(f));
}

/** An access that stage 2 denies, and what it would get if stage 2 were not asked. */
function allowed(a: Answer, facts: readonly Fact[]): Answer | null {
  if (a.kind !== OUTCOME_FAULT || a.event !== EVENT.F_PERMISSION || a.stage2 === 0 || a.class !== CLASS_IN) return null;
  const leaves = facts.filter((f): f is LeafFact => f.kind === 'leaf');
  const second = leaves.find((f) => f.stage === 2) ?? leaves.find((f) => f.stage === 3)?.second;
  return second === undefined || second === null ? null : { ...a, kind: OUTCOME_OK, event: 0, stage2: 0, class: 0, ipa: 0, frame: second.target + a.ipa - second.va };
}

const BUGS = {
  'any ASID': { covers: ofEveryAsid },
  'any ASID hits': { seen: (f) => (f.regime.asid >= 0 ? withAsid(f, -1) : f) },
  'TLBI_NH_ASID takes global entries': { covers: taking((c) => (c.op === OP.TLBI_NH_ASID ? [c, { ...c, asid: -1 }] : c)) },
  'global entries hit with their ASID only': { seen: (f) => (isGlobal(f) ? withAsid(f, f.regime.asid) : f) },
  'TLBI_NH_VA takes global entries of its ASID only': { removes: globalOfItsAsid },
  'NUM + 1 counted twice': ranged((c) => ({ num: 2 * c.num + 1 })),
  'SCALE one too large': ranged((c) => ({ scale: c.scale + 1 })),
  'the last of NUM left out': ranged((c) => ({ num: Math.max(0, c.num - 1) })),
  'SCALE one too small': ranged((c) => ({ scale: Math.max(0, c.scale - 1) })),
  'CFGI flushes the TLB': { covers: taking((c) => (isCfgi(c.op) ? [c, { ...newCommand(), op: OP.TLBI_NSNH_ALL }] : c)) },
  'S2AP is not looked at': { answers: (a, facts) => [allowed(a, facts) ?? a] },
  'S2AP may be left out': { answers: (a, facts) => [allowed(a, facts), a].filter((one) => one !== null) },
} as const satisfies Record<string, Bug>;

export type Sabotage = keyof typeof BUGS;

/** The weakest machine with a bug. */
export function sabotaged(name: Sabotage): Twins['weakest'] {
  return (memory, config) => new Sabotaged(memory, config, BUGS[name]);
}
