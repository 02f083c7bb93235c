/**
 * Shapes: the driver's domains as geometries of the page-table library (../tables). The stage, the sizes and the start level are those of the domain, because
 * its STE or CD says them; so no stage-2 root here is concatenated, however the library would choose it.
 */
import type { TableGeometry } from '../../stack/page-table.js';
import { shapeOf, type TableShape } from '../tables/geometry.js';
import type { DomainState } from './types.js';

type Sizes = Pick<DomainState, 'stage' | 'inputBits' | 'outputBits' | 'startLevel'>;

const shapes = new Map<string, TableShape>();

export function geometryOf(own: Sizes): TableGeometry {
  return { tg: 12, stage: own.stage, inputBits: own.inputBits, outputBits: own.outputBits, half: 'lower', ds: false, contiguous: false, dirty: false };
}

/** One for all domains alike. */
export function shapeFor(own: Sizes): TableShape {
  const key = `${own.stage} ${own.inputBits} ${own.outputBits} ${own.startLevel}`;
  let shape = shapes.get(key);
  if (shape === undefined) shapes.set(key, shape = shapeOf(geometryOf(own), own.startLevel));
  return shape;
}
