/**
 * Table geometries: every one that the architecture has for tables of this project: granule, stage and half, the 52-bit form, all input sizes, and output sizes
 * that matter. `contiguous` and `dirty` double what is listed here.
 */
import { TGS, type Tg } from '../spec/granule.js';
import type { TableGeometry } from '../stack/page-table.js';

const LEAST: Readonly<Record<Tg, number>> = { 12: 16, 14: 16, 16: 17 };
/** Output sizes below 52 bits: the one at which concatenation is mandatory, and the usual one. */
const OUTPUTS: readonly number[] = [40, 48];

/** Stage and half, then granule, form, input bits, output bits: in a fixed order. */
export function tableGeometries(): TableGeometry[] {
  const all: TableGeometry[] = [];
  for (const [stage, half] of [[1, 'lower'], [1, 'upper'], [2, 'lower']] as const) {
    for (const tg of TGS) {
      for (const ds of tg === 16 ? [false] : [false, true]) {
        const wide = ds || tg === 16;
        for (let inputBits = LEAST[tg]; inputBits <= (wide ? 52 : 48); inputBits += 1) {
          for (const outputBits of wide ? [...OUTPUTS, 52] : OUTPUTS) {
            // Stage 2 takes no more input than the SMMU has output.
            if (stage === 2 && inputBits > outputBits) continue;
            all.push({ tg, stage, inputBits, outputBits, half, ds, contiguous: false, dirty: false });
          }
        }
      }
    }
  }
  return all;
}
