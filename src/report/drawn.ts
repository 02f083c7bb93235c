/**
 * Drawn: what one run of a campaign was given: its world, the mix of operations and sizes, its length. Pure.
 */
import { SIZE_CLASSES, type Mix } from '../operations/profiles.js';
import type { World } from '../stack/world.js';
import { describeWorld } from './operations.js';
import { counted, labelled, wrap } from './words.js';

export interface Drawn {
  readonly run: number;
  readonly world: World;
  readonly mix: Mix;
  readonly operations: number;
}

function weights(names: readonly string[], values: readonly number[]): string[] {
  return names.map((name, i) => [name, values[i] ?? 0] as const).filter(([, n]) => n > 0).map(([name, n]) => `${name} ${n}`);
}

/** Several lines: for one run that is looked at. */
export function drawnLines(d: Drawn): string[] {
  return [
    `drawn for run ${d.run}: ${counted(d.operations, 'op')}, ${d.mix.invalid} of 1000 calls invalid on purpose, addresses over ${counted(d.mix.spread, 'page')} an anchor`,
    ...labelled('world', describeWorld(d.world)),
    ...labelled('mix', wrap(weights(Object.keys(d.mix.weights), Object.values(d.mix.weights)))),
    ...labelled('sizes', wrap(weights(SIZE_CLASSES, d.mix.sizes))),
  ];
}

/** One line: for a list of runs. */
export function drawnLine(d: Drawn): string {
  const smmus = d.world.smmus.map((s) => `${s.range ? 'range' : 'no range'}${s.coherent === false ? ' not coherent' : ''}`).join('+');
  const gathers = d.world.domains.flatMap((x) => (x.gather === undefined ? [] : [x.gather]));
  const lazy = d.world.domains.filter((x) => x.mode === 'lazy').length;
  const mix = weights(Object.keys(d.mix.weights), Object.values(d.mix.weights)).join(' ');
  return `run ${d.run}  ${counted(d.operations, 'op')}  SMMUs ${smmus}  ${counted(d.world.devices.length, 'device')}  ${counted(d.world.domains.length, 'domain')} (${[`${lazy} lazy`, ...gathers].join(', ')})  `
    + `${d.world.inputBits}-bit  ${d.world.storeOrder}  ${d.world.planner === undefined ? '' : `planner ${d.world.planner}  `}${mix}  sizes ${d.mix.sizes.join('/')}`;
}
