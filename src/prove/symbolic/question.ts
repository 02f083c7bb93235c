/**
 * Question: one formula that must hold for every description of a scope, put to the solver as "is there one for which it does not". And the
 * way back: the values of a model as a description and as the payload words of the plan that the formula gives for it.
 */
import { POW2 } from '../../spec/bits.js';
import { commandTg } from '../../spec/granule.js';
import type { Description } from '../../stack/description.js';
import { COUNT, DS, FIRST, INPUTS, LEAVES, TABLES, widthOf, type PlanTerm, type Scope } from './planners.js';
import { OFFSET } from './properties.js';
import type { Answer, Solver } from './solver.js';
import { and, Evaluation, not, smtText, type Bool, type Values } from './terms.js';

export interface Question {
  readonly scope: Scope;
  /** Which inputs it is about. */
  readonly assume: Bool;
  readonly goal: Bool;
}

export function isThereOneAgainst(q: Question, solver: Solver, timeoutMs: number): Promise<Answer> {
  const wrong = and(q.assume, not(q.goal));
  const { text, names } = smtText([wrong, FIRST, COUNT, LEAVES, TABLES, DS, OFFSET], widthOf(q.scope));
  return solver.ask(`${text}\n(assert ${names[0] as string})`, [...INPUTS, 'offset'], timeoutMs);
}

/** The description of a model; `first` and `last` in 4 KiB frames. */
export function descriptionOf(values: Values, s: Scope): Description {
  const value = (name: string): number => Number(values.get(name) ?? 0n);
  const granule = POW2[s.tg - 12] as number;
  const first = value('first') * granule;
  return { tg: s.tg, first, last: first + value('count') * granule - 1, leaves: value('leaves'), tables: value('tables'), all: false };
}

export type Payload = readonly [number, number, number, number];

/** The payloads (stack/planner.ts) of a plan for the inputs; null: the whole tag. Fields that do not fit run into their neighbours, as in code. */
export function payloadsFor(p: PlanTerm, values: Values, s: Scope): readonly Payload[] | null {
  const e = new Evaluation(values, widthOf(s));
  if (e.holds(p.whole)) return null;
  return p.commands.filter((c) => e.holds(c.there)).map((c) => {
    const address = e.of(c.start) << BigInt(s.tg);
    const word0 = (e.of(c.num) << 12n) | (e.of(c.scale) << 20n);
    const word2 = (e.holds(c.leaf) ? 1n : 0n) | (e.of(c.ttl) << 8n) | (e.holds(c.ranged) ? BigInt(commandTg(s.tg)) << 10n : 0n) | address;
    return [low(word0), 0, low(word2), low(address >> 32n)];
  });
}

function low(word: bigint): number {
  return Number(BigInt.asUintN(32, word));
}
