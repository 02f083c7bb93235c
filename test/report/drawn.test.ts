/** What a run was given, in words: pinned text for a fixed draw. */
import test from 'ava';
import { PLAIN_MIX } from '../../src/operations/profiles.js';
import { drawnLine, drawnLines } from '../../src/report/drawn.js';
import { smallWorld } from '../../src/stack/world.js';

const DRAWN = {
  run: 7, operations: 150, world: smallWorld({ domains: [{ mode: 'lazy', managed: true }, { mode: 'strict', managed: false, gather: 'sva' }] }),
  mix: { ...PLAIN_MIX, weights: { ...PLAIN_MIX.weights, unmap: 72, 'flush-all': 0 }, sizes: [80, 0, 8, 0, 0, 6, 0, 0] },
};

test('one line names length, features, devices, domains and the mix; what is never drawn is left out', (t) => {
  t.is(drawnLine(DRAWN), 'run 7  150 ops  SMMUs range  1 device  2 domains (1 lazy, sva)  48-bit  fifo  '
    + 'map 22 unmap 72 sync 14 attach 4 detach 2 access 26 iova-alloc 6 iova-free 5 fail-next-allocation 1  sizes 80/0/8/0/0/6/0/0');
});

test('the long form names the size classes that are drawn', (t) => {
  const lines = drawnLines(DRAWN);
  t.true(lines[0]?.startsWith('drawn for run 7: 150 ops, 20 of 1000 calls invalid on purpose'), lines[0]);
  t.true(lines.some((l) => /1 page 80 +17-600 pages 8 +2 MB in pages 6/.test(l)), lines.join('\n'));
  t.false(lines.some((l) => l.includes('1 GB')));
});
