/** Sharing: the matrix of domains, SMMUs and uses: each reason of its own, and no other. */
import test from 'ava';
import { mayAttach, type DeviceTraits, type DomainTraits, type ShareRefusal } from '../../../src/optimised/driver/sharing.js';
import { FULL_FEATURES, type Features } from '../../../src/spec/features.js';

const STAGE1: DomainTraits = { stage: 1, tg: 12, inputBits: 48, outputBits: 44, startLevel: 0, coherent: true, forceWriteBack: false, parent: false, dirty: false };
const STAGE2: DomainTraits = { ...STAGE1, stage: 2, inputBits: 44 };
const PARENT: DomainTraits = { ...STAGE2, parent: true, forceWriteBack: true };
const WHOLE: DeviceTraits = { use: 'device', canWriteBack: false };

/** [what, domain, changes to a full SMMU, device, reason] */
type Row = readonly [string, DomainTraits, Partial<Features>, Partial<DeviceTraits>, ShareRefusal | null];

const MATRIX: readonly Row[] = [
  ['stage 1 on a full SMMU', STAGE1, {}, {}, null],
  ['stage 2 on a full SMMU', STAGE2, {}, {}, null],
  ['stage 1 without stage 1', STAGE1, { stage1: false }, {}, 'stage'],
  ['stage 2 without stage 2', STAGE2, { stage2: false }, {}, 'stage'],
  ['stage 1 without stage 2', STAGE1, { stage2: false }, {}, null],
  ['4K tables without the granule', STAGE1, { gran4k: false }, {}, 'page-size'],
  ['4K tables without the others', STAGE1, { gran16k: false, gran64k: false }, {}, null],
  ['64K tables without the granule', { ...STAGE1, tg: 16 }, { gran64k: false }, {}, 'page-size'],
  ['output of 44 bits, SMMU of 42', STAGE1, { oas: 42 }, {}, 'output-size'],
  ['output of 44 bits, SMMU of 44', STAGE1, { oas: 44 }, {}, null],
  ['input of 52 bits without wide inputs', { ...STAGE1, inputBits: 52 }, {}, {}, 'input-size'],
  ['input of 52 bits with wide inputs', { ...STAGE1, inputBits: 52 }, { wideInput: true }, {}, null],
  ['stage 2: 44 bits from level 0, SMMU of 44', STAGE2, { oas: 44 }, {}, null],
  ['stage 2: input beyond what the SMMU outputs', { ...STAGE2, outputBits: 40 }, { oas: 40 }, {}, 'input-size'],
  ['stage 2: start level 0 asks for 44 bits of output', { ...STAGE2, inputBits: 42, outputBits: 42 }, { oas: 42 }, {}, 'input-size'],
  ['stage 2: 39 bits from level 1, SMMU of 40', { ...STAGE2, inputBits: 39, outputBits: 40, startLevel: 1 }, { oas: 40 }, {}, null],
  ['tables that are not cleaned, walks that do not look into caches', STAGE1, { coherent: false }, {}, 'coherency'],
  ['tables that are cleaned, the same walks', { ...STAGE1, coherent: false }, { coherent: false }, {}, null],
  ['tables that are cleaned, coherent walks', { ...STAGE1, coherent: false }, {}, {}, null],
  ['forced write-back without S2FWB', PARENT, { forceWriteBack: false }, {}, 'force-write-back'],
  ['no forced write-back, with S2FWB', { ...PARENT, forceWriteBack: false }, {}, {}, null],
  ['dirty state without HTTU', { ...STAGE1, dirty: true }, { httu: 1 }, {}, 'dirty'],
  ['dirty state with HTTU', { ...STAGE1, dirty: true }, {}, {}, null],
  ['dirty state in tables that the walks do not see at once', { ...STAGE1, dirty: true, coherent: false }, { coherent: false }, {}, 'dirty'],
  ['a substream on stage 1', STAGE1, {}, { use: 'substream' }, null],
  ['a substream on stage 2', STAGE2, {}, { use: 'substream' }, 'substream'],
  ['a guest over a parent', PARENT, {}, { use: 'guest' }, null],
  ['a guest over a stage-2 domain that is none', STAGE2, {}, { use: 'guest' }, 'nesting'],
  ['a guest over stage 1', STAGE1, {}, { use: 'guest' }, 'nesting'],
  ['a guest without stage 1 for it', PARENT, { stage1: false }, { use: 'guest' }, 'nesting'],
  ['a guest where batches must be split', PARENT, { forceSync: true }, { use: 'guest' }, 'nesting'],
  ['a guest that could defeat coherency', { ...PARENT, forceWriteBack: false }, { forceWriteBack: false }, { use: 'guest' }, 'force-write-back'],
  ['the same behind a root complex that is coherent by itself', { ...PARENT, forceWriteBack: false }, { forceWriteBack: false }, { use: 'guest', canWriteBack: true }, null],
  ['a parent, used as an ordinary domain', { ...PARENT, forceWriteBack: false }, { forceWriteBack: false, forceSync: true }, {}, null],
];

for (const [what, domain, smmu, device, wanted] of MATRIX) {
  test(`${what}: ${wanted ?? 'yes'}`, (t) => { t.is(mayAttach(domain, { ...FULL_FEATURES, ...smmu }, { ...WHOLE, ...device }), wanted); });
}

test('every reason is in the matrix', (t) => {
  const reasons: readonly ShareRefusal[] = ['stage', 'nesting', 'substream', 'page-size', 'input-size', 'output-size', 'coherency', 'force-write-back', 'dirty'];
  for (const reason of reasons) t.true(MATRIX.some((row) => row[4] === reason), reason);
});
