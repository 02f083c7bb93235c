/**
 * The interval judge of prove is equal to the literal check that asks the reference: in a window of 64 entries all starts, lengths, damaged levels,
 * granules and features.
 */
import test from 'ava';
import { FEATURES } from '../../src/prove/strata.js';
import { TGS } from '../../src/spec/granule.js';
import { everyWindow } from '../prove/windows.js';

for (const features of FEATURES) {
  for (const tg of TGS) {
    test(`every range: ${2 ** (tg - 10)}K, ${features.range ? `ranges${features.ds ? ' with DS' : ''}` : 'no ranges'}`, (t) => { everyWindow(t, tg, features, 1); });
  }
}
