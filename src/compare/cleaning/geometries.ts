/**
 * Geometries: every table that there is, as a walk sees it: granule, start level, index bits of the root, half, and the levels at which leaves may stand. Stages and
 * sizes of the output make no other difference to a walk, so one geometry stands for all that agree in these.
 */
import { geometryFault, shapeOf } from '../../optimised/tables/geometry.js';
import { TGS } from '../../spec/granule.js';
import type { TableGeometry } from '../../stack/page-table.js';
import { rangeShape } from './ground.js';
import type { RangeShape } from './ranges.js';

/** A root with fewer entries than other tables, with as many, or of several tables side by side. */
export type RootKind = 'short' | 'full' | 'concatenated';
export const ROOT_KINDS: readonly RootKind[] = ['full', 'short', 'concatenated'];

export interface WalkGeometry {
  readonly geometry: TableGeometry;
  readonly shape: RangeShape;
  readonly root: RootKind;
  /** Stages that have such a table. */
  readonly stages: readonly (1 | 2)[];
  /** Geometries that it stands for. */
  readonly standsFor: number;
}

const INPUT_BITS = { least: 16, most: 52 };

export function rootKind(s: RangeShape): RootKind {
  return s.rootBits === s.tg - 3 ? 'full' : s.rootBits < s.tg - 3 ? 'short' : 'concatenated';
}

/** All that exist, of the largest output size. */
export function allGeometries(): TableGeometry[] {
  const found: TableGeometry[] = [];
  for (const tg of TGS) for (const stage of [1, 2] as const) for (const half of stage === 1 ? ['lower', 'upper'] as const : ['lower'] as const) for (const ds of tg === 16 ? [false] : [false, true]) {
    for (let inputBits = INPUT_BITS.least; inputBits <= INPUT_BITS.most; inputBits += 1) {
      const geometry: TableGeometry = { tg, stage, inputBits, outputBits: tg === 16 || ds ? 52 : 48, half, ds, contiguous: false, dirty: false };
      if (geometryFault(geometry) === undefined) found.push(geometry);
    }
  }
  return found;
}

function keyOf(g: TableGeometry, s: RangeShape): string {
  return `${g.tg} ${s.startLevel} ${s.rootBits} ${g.half} ${s.leafLevels}`;
}

export function walkGeometries(): WalkGeometry[] {
  const found = new Map<string, WalkGeometry>();
  for (const geometry of allGeometries()) {
    const shape = rangeShape(shapeOf(geometry));
    const key = keyOf(geometry, shape);
    const known = found.get(key);
    const stages = [...new Set([...(known?.stages ?? []), geometry.stage])];
    found.set(key, { geometry: known?.geometry ?? geometry, shape, root: rootKind(shape), stages, standsFor: (known?.standsFor ?? 0) + 1 });
  }
  return [...found.values()];
}
