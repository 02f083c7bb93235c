/** Plans as their fields, for the vectors of each planner. */
import { commandError, decodeCommand, newCommand, OP, type Command, type CommandFeatures } from '../../../../src/spec/command.js';
import type { Tg } from '../../../../src/spec/granule.js';
import { newDescription, type Description } from '../../../../src/stack/description.js';
import { commandFeatures } from '../../../../src/stack/machine.js';
import { WHOLE_TAG, type Planner, type PlannerFeatures } from '../../../../src/stack/planner.js';
import { DEFAULT_SMMU } from '../../../../src/stack/world.js';

/** Address (bytes), TG, NUM, SCALE, TTL, Leaf. */
export type Fields = readonly [address: number, tg: number, num: number, scale: number, ttl: number, leaf: number];

export const RANGE: PlannerFeatures = { range: true, ds: false };
export const RANGE_DS: PlannerFeatures = { range: true, ds: true };
export const SINGLES: PlannerFeatures = { range: false, ds: false };

const KB4 = 4096;

/** `size` bytes from `start`. */
export function damage(start: number, size: number, leaves: number, tables = 0, tg: Tg = 12): Description {
  return { ...newDescription(), tg, first: start / KB4, last: (start + size) / KB4 - 1, leaves, tables };
}

/** n granules from granule `first`, pages of the smallest size. */
export function pages(first: number, n: number, tg: Tg = 12): Description {
  const granule = 2 ** tg;
  return damage(first * granule, n * granule, 1, 0, tg);
}

/** The planned commands, or 'all' for the whole tag. */
export function commands(planner: Planner, d: Description, f: PlannerFeatures): Command[] | 'all' {
  const out = new Uint32Array(Math.max(planner.room, 1) * 4).fill(0xffffffff);
  const n = planner.plan(d, f, out);
  if (n === WHOLE_TAG) return 'all';
  return Array.from({ length: n }, (_, i) => {
    out[i * 4] = (out[i * 4] as number) | OP.TLBI_NH_VA;
    return decodeCommand(out, i * 4, newCommand());
  });
}

export function fields(planner: Planner, d: Description, f: PlannerFeatures): Fields[] | 'all' {
  const list = commands(planner, d, f);
  return list === 'all' ? list : list.map((c) => [c.frame * KB4, c.tg, c.num, c.scale, c.ttl, c.leaf] as const);
}

/** How many commands; 'all' for the whole tag. */
export function countOf(planner: Planner, d: Description, f: PlannerFeatures): number | 'all' {
  const list = commands(planner, d, f);
  return list === 'all' ? list : list.length;
}

/** What is wrong with one of the commands, for an SMMU with these features. */
export function illegal(planner: Planner, d: Description, f: PlannerFeatures): string | undefined {
  const list = commands(planner, d, f);
  const features: CommandFeatures = { ...commandFeatures({ ...DEFAULT_SMMU, range: f.range }), ds: f.ds };
  return list === 'all' ? undefined : list.map((c) => commandError(c, features)).find((e) => e !== undefined);
}
