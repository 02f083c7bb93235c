/**
 * Permissions (VMSAv8-64; IHI 0070 §3.3.4, §5.2, §5.4): what each leaf of either stage allows, what table descriptors above it take away, and
 * what PRIVCFG and INSTCFG make of a transaction.
 */
import test from 'ava';
import { BIT_AF, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_UNPRIVILEGED, HI_APTABLE_PRIVILEGED, HI_APTABLE_READ_ONLY, HI_PXN, HI_PXNTABLE, HI_UXN, HI_UXNTABLE } from '../../../src/spec/descriptor.js';
import { ASID, cd, L2, L3, L32, leaf, leaf2, nested, Rig, ROOT, ROOT2, stage1, stage2, started, table, VMID, type Word } from './rig.js';

/** Stage 1 with this word for VA 0. */
function withLeaf(word: Word, fields: Parameters<typeof cd>[2] = {}, more: Parameters<typeof stage1>[1] = {}): Rig {
  return started({}, (rig) => {
    rig.put(L3, 0, word);
    rig.cd(0, cd(ASID, ROOT, fields));
    rig.ste(0, stage1(0, more));
  });
}

/** Which of r, w, x are allowed, unprivileged then privileged. */
function rights(rig: Rig): string {
  return [false, true].map((privileged) => [{ write: false }, { write: true }, { instruction: true }].map((k, i) => {
    const a = rig.ask({ privileged, ...k });
    return a.length === 1 && (a[0] as string).startsWith('ok') ? 'rwx'.charAt(i) : '-';
  }).join('')).join(' ');
}

const LEAVES: readonly (readonly [string, Word, string])[] = [
  ['AP 01', leaf(0x10), 'rwx rwx'],
  ['AP 00', leaf(0x10, 3, { clear: BIT_UNPRIVILEGED }), '--- rwx'],
  ['AP 11', leaf(0x10, 3, { set: BIT_READ_ONLY }), 'r-x r-x'],
  ['AP 10', leaf(0x10, 3, { set: BIT_READ_ONLY, clear: BIT_UNPRIVILEGED }), '--- r-x'],
  ['UXN', leaf(0x10, 3, { hi: HI_UXN }), 'rw- rwx'],
  ['PXN', leaf(0x10, 3, { hi: HI_PXN }), 'rwx rw-'],
  ['both', leaf(0x10, 3, { hi: HI_PXN | HI_UXN }), 'rw- rw-'],
];

for (const [name, word, expected] of LEAVES) {
  test(`stage-1 leaf, ${name}: ${expected}`, (t) => { t.is(rights(withLeaf(word)), expected); });
}

const TABLES: readonly (readonly [string, number, string])[] = [
  ['APTable[1]', HI_APTABLE_READ_ONLY, 'r-x r-x'], ['APTable[0]', HI_APTABLE_PRIVILEGED, '--- rwx'], ['UXNTable', HI_UXNTABLE, 'rw- rwx'], ['PXNTable', HI_PXNTABLE, 'rwx rw-'],
];

for (const [name, hi, expected] of TABLES) {
  test(`stage-1 table at any level, ${name}: ${expected}; not with HAD`, (t) => {
    for (const [slot, next] of [[ROOT, L2], [L2, L3]] as const) {
      for (const had of [0, 1]) {
        const rig = started({}, (r) => {
          r.put(slot, 0, table(next, hi));
          r.cd(0, cd(ASID, ROOT, { HAD0: had }));
          r.ste(0, stage1(0));
        });
        t.is(rights(rig), had === 1 ? 'rwx rwx' : expected);
      }
    }
  });
}

const LEAVES2: readonly (readonly [string, Word, string])[] = [
  ['S2AP 11', leaf2(0x20), 'rwx rwx'],
  ['S2AP 01', leaf2(0x20, 3, { clear: BIT_S2AP_WRITE }), 'r-x r-x'],
  ['S2AP 10', leaf2(0x20, 3, { clear: BIT_S2AP_READ }), '-w- -w-'],
  ['S2AP 00', leaf2(0x20, 3, { clear: BIT_S2AP_READ | BIT_S2AP_WRITE }), '--- ---'],
  ['XN 10', leaf2(0x20, 3, { hi: HI_UXN }), 'rw- rw-'],
  ['XN 01', leaf2(0x20, 3, { hi: HI_PXN }), 'rw- rw-'],
];

for (const [name, word, expected] of LEAVES2) {
  test(`stage-2 leaf, ${name}: ${expected}, alone and nested`, (t) => {
    const build = (words: Uint32Array) => (r: Rig): void => {
      r.put(L32, 0x10, word);
      r.put(L3, 0x10, leaf(0x10)); // VA 0x10 → IPA 0x10
      r.ste(0, words);
    };
    for (const words of [stage2(ROOT2, VMID), nested(0, ROOT2, [VMID, {}])]) {
      const rig = started({}, build(words));
      const answers = [false, true].map((privileged) => [{ write: false }, { write: true }, { instruction: true }].map((k, i) => {
        const a = rig.ask({ privileged, frame: 0x10, ...k });
        if (a.join() !== 'ok 20') t.deepEqual(a, ['F_PERMISSION s2 IN 10']);
        return a.join() === 'ok 20' ? 'rwx'.charAt(i) : '-';
      }).join('')).join(' ');
      t.is(answers, expected);
    }
  });
}

test('PRIVCFG and INSTCFG override the transaction; a write is data', (t) => {
  const privileged = leaf(0x10, 3, { clear: BIT_UNPRIVILEGED });
  t.deepEqual(withLeaf(privileged, {}, { PRIVCFG: 3 }).at(0), ['ok 10']);
  t.deepEqual(withLeaf(privileged, {}, { PRIVCFG: 2 }).ask({ privileged: true }), ['F_PERMISSION']);
  const xn = leaf(0x10, 3, { hi: HI_UXN });
  t.deepEqual(withLeaf(xn, {}, { INSTCFG: 3 }).at(0), ['F_PERMISSION']);
  t.deepEqual(withLeaf(xn, {}, { INSTCFG: 2 }).ask({ instruction: true }), ['ok 10']);
  t.deepEqual(withLeaf(xn, {}, { INSTCFG: 3 }).ask({ write: true }), ['ok 10']);
});

test('access before permission: AF = 0 on a read-only page is F_ACCESS', (t) => {
  t.deepEqual(withLeaf(leaf(0x10, 3, { set: BIT_READ_ONLY, clear: BIT_AF })).ask({ write: true }), ['F_ACCESS']);
});
