/**
 * JavaScript candidates: an ES module that exports plan(description, features, out) as the planners of the house have it (stack/planner.ts).
 * It runs with the rights of whoever starts it: it is not confined, only what it answers is checked. Every question is a fresh copy.
 */
import type { Description } from '../stack/description.js';
import { newDescription } from '../stack/description.js';
import { PAYLOAD_WORDS, type PlannerFeatures } from '../stack/planner.js';
import { CandidateRefused, ROOM_DEFAULT, ROOM_MAX, type Raw } from './candidate.js';

type PlanFunction = (d: Description, f: PlannerFeatures, out: Uint32Array) => unknown;

/** Throws CandidateRefused. `module`: what the import gave. */
export function wrapModule(module: unknown, name: string): Raw {
  const { plan, room } = module as { readonly plan?: unknown; readonly room?: unknown };
  if (typeof plan !== 'function') throw new CandidateRefused(`${name}: the module exports no function plan`);
  if (room !== undefined && !(typeof room === 'number' && Number.isInteger(room) && room >= 1 && room <= ROOM_MAX)) {
    throw new CandidateRefused(`${name}: the module's room must be a whole number from 1 to ${ROOM_MAX}`);
  }
  return new ModuleRaw(plan as PlanFunction, (room as number | undefined) ?? ROOM_DEFAULT);
}

class ModuleRaw implements Raw {
  readonly room: number;
  readonly #plan: PlanFunction;
  readonly #out: Uint32Array;
  readonly #asked: Description = newDescription();
  #given: Description = newDescription();

  constructor(plan: PlanFunction, room: number) {
    this.room = room;
    this.#plan = plan;
    this.#out = new Uint32Array(room * PAYLOAD_WORDS);
  }

  call(d: Description, f: PlannerFeatures): unknown {
    Object.assign(this.#asked, d);
    this.#given = { tg: d.tg, first: d.first, last: d.last, leaves: d.leaves, tables: d.tables, all: d.all };
    return this.#plan(this.#given, { range: f.range, ds: f.ds }, this.#out);
  }

  harm(): string | null {
    const a = this.#asked;
    const g = this.#given;
    const same = a.tg === g.tg && a.first === g.first && a.last === g.last && a.leaves === g.leaves && a.tables === g.tables && a.all === g.all;
    if (!same) return 'it changed the description that it was asked about';
    return this.#out.length === this.room * PAYLOAD_WORDS ? null : 'it took the array of its answers away';
  }

  read(count: number, out: Uint32Array): void {
    for (let i = 0; i < count * PAYLOAD_WORDS; i += 1) out[i] = this.#out[i] as number;
  }
}
