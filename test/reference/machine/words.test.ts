/** Words: every kind of fact by the tags that commands name. */
import test from 'ava';
import { describeFact, kindOf, sizeOf } from '../../../src/reference/machine/words.js';
import { atc, combined, leafFact, REGIME, structure, tableFact } from './made.js';

test('leaves: world, tags, span, output, level', (t) => {
  t.is(describeFact(leafFact({})), 'stage-1 leaf {EL1 vmid 3 asid 7 0x200000 -> 0x900000 level 3}');
  t.is(describeFact(leafFact({ asid: -1, level: 2, frames: 512 })), 'stage-1 leaf {EL1 vmid 3 global 0x200000 +2M -> 0x900000 level 2}');
  t.is(describeFact(leafFact({ world: 1, vmid: 0, asid: -1 })), 'stage-1 leaf {EL2 0x200000 -> 0x900000 level 3}');
  t.is(describeFact(leafFact({ world: 2, vmid: 0 })), 'stage-1 leaf {EL2-E2H asid 7 0x200000 -> 0x900000 level 3}');
  t.is(describeFact(leafFact({ stage: 2, asid: -1 })), 'stage-2 leaf {vmid 3 0x200000 -> 0x900000 level 3}');
  t.is(describeFact(leafFact({ regime: { ...REGIME, nested: true } })), 'stage-1 leaf {EL1 vmid 3 asid 7 0x200000 -> ipa 0x900000 level 3}');
  t.is(describeFact(leafFact({ run: true, frames: 16 })), 'stage-1 leaf {EL1 vmid 3 asid 7 0x200000 +64K -> 0x900000 level 3, whole run}');
  t.is(describeFact(leafFact({ tg: 16, frames: 16 })), 'stage-1 leaf {EL1 vmid 3 asid 7 0x200000 +64K -> 0x900000 level 3 of 64K}');
  t.is(describeFact(combined({})), 'combined leaf {EL1 vmid 3 asid 7 0x200000 -> 0x900000 level 3, both stages}');
  t.is(describeFact(leafFact({ va: 0, target: 0xfffffffffffff })), 'stage-1 leaf {EL1 vmid 3 asid 7 0x0 -> 0xfffffffffffff000 level 3}');
});

test('table descriptors: the page that they point to', (t) => {
  t.is(describeFact(tableFact({})), 'stage-1 table descriptor {EL1 vmid 3 asid 7 0x200000 +2M -> the table at 0x900000 level 2}');
  t.is(describeFact(tableFact({ stage: 2, asid: -1 })), 'stage-2 table descriptor {vmid 3 0x200000 +2M -> the table at 0x900000 level 2}');
  t.is(describeFact(tableFact({ stage: 3 })), 'stage-1 table descriptor through stage 2 {EL1 vmid 3 asid 7 0x200000 +2M -> the table at 0x900000 level 2}');
  t.is(describeFact(tableFact({ stage: 3, premises: [REGIME] })), 'base of the stage-1 tables through stage 2 {EL1 vmid 3 asid 7 0x200000 +2M -> the table at 0x900000}');
  t.is(describeFact(tableFact({ regime: { ...REGIME, nested: true } })), 'stage-1 table descriptor {EL1 vmid 3 asid 7 0x200000 +2M -> the table at ipa 0x900000 level 2}');
});

test('structures and ATC entries', (t) => {
  t.is(describeFact({ ...structure('ste', -1, [5, 1]), word: 2, lo: 0x10, hi: 1 }), 'STE of stream 5 (word 2 = 0x100000010)');
  t.is(describeFact(structure('cd', 5, [2, 1])), 'CD 2 of stream 5 (word 0 = 0x0)');
  t.is(describeFact(structure('l1std', -1, [64, 64])), 'level-1 descriptor of streams 64..127 (0x0)');
  t.is(describeFact(structure('l1cd', 5, [0, 64])), 'level-1 descriptor of CDs 0..63 of stream 5 (0x0)');
  t.is(describeFact(atc({})), 'ATC entry {stream 5 0x200000 -> 0x900000 rw}');
  t.is(describeFact(atc({ ssid: 2, frames: 4, split: true, canWrite: false })), 'ATC entry {stream 5 PASID 2 0x200000 +16K -> ipa 0x900000 r}');
});

test('kinds and sizes', (t) => {
  t.deepEqual([leafFact({ stage: 2 }), combined({}), tableFact({}), atc({}), structure('cd', 5, [2, 1])].map(kindOf),
    ['the stage-2 leaf', 'the combined leaf', 'the stage-1 table descriptor', 'the ATC entry', 'the CD 2 of stream 5']);
  t.deepEqual([1, 16, 512, 513, 2 ** 18].map(sizeOf), ['4K', '64K', '2M', '2052K', '1G']);
});
