/** Raw commands, structures and records in words; the tables of the other verbs. */
import test from 'ava';
import { decodedBlock, decodedCd, decodedCommand, decodedEvent, decodedSte } from '../../src/report/decode.js';
import { benchBlock, cornerCasesBlock, corpusBlock, countsLines, doctorBlock, mutantsBlock, rulesBlock } from '../../src/report/tables.js';
import { RULES } from '../../src/rules/ledger.js';
import { encodeCommand, newCommand, OP } from '../../src/spec/command.js';
import { setField } from '../../src/spec/bits.js';
import { CD } from '../../src/spec/cd.js';

function command(fields: Partial<ReturnType<typeof newCommand>>): Uint32Array {
  const words = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...fields }, words);
  return words;
}

test('a command with every field of its opcode, and for whom it is legal', (t) => {
  const d = decodedCommand(command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x200, leaf: 1, tg: 1, num: 1, ttl: 2 }));
  t.is(decodedBlock(d), [
    'TLBI_NH_VA vmid 0 asid 7 va 0x200000 tg 4K num 1 scale 0 ttl 2 (2 granules) leaf',
    '  opcode   0x12 TLBI_NH_VA', '  vmid     0', '  asid     7', '  num      1', '  scale    0', '  leaf     1', '  ttl      2', '  tg       1', '  address  0x200000',
    '  with range invalidation: legal',
    '  without range invalidation: range fields are set and IDR3.RIL is 0 (§4.4.1.1)',
  ].join('\n'));
});

test('bits outside of the opcode and reserved opcodes are told', (t) => {
  const words = command({ op: OP.SYNC });
  words[3] = 0x80000000;
  t.true(decodedCommand(words).notes.some((n) => /RES0/.test(n)));
  t.false(decodedCommand(command({ op: OP.SYNC })).notes.some((n) => /RES0/.test(n)));
  t.regex(decodedCommand(Uint32Array.of(0xff, 0, 0, 0)).notes.join(' '), /reserved/);
});

test('every opcode shows exactly the fields it has', (t) => {
  for (const op of Object.values(OP)) {
    const d = decodedCommand(command({ op }));
    t.true(d.text.length > 0);
    t.is(d.fields['opcode']?.startsWith('0x'), true);
  }
  t.deepEqual(Object.keys(decodedCommand(command({ op: OP.CFGI_CD, sid: 3 })).fields), ['opcode', 'ssec', 'ssid', 'sid', 'leaf']);
});

test('an STE, a CD and an event record', (t) => {
  const ste = new Uint32Array(16);
  ste[0] = 0xb;
  t.is(decodedSte(ste).text, 'STE: stage1');
  t.is(decodedSte(new Uint32Array(16)).text, 'STE: illegal');
  const cd = new Uint32Array(16);
  setField(cd, CD.ASID, 300);
  t.regex(decodedCd(cd).text, /^CD: asid 300, illegal/);
  t.is(decodedEvent(Uint32Array.of(0x10, 1, 0, 8, 0x4000, 0, 0, 0)).text, 'F_TRANSLATION sid 1 read 0x4000');
});

test('the ledger names every rule with its claim, source and cost', (t) => {
  const text = rulesBlock(RULES, null);
  for (const r of RULES) t.true(text.includes(`${r.id}\n  claim      ${r.claim}\n  source     ${r.source}\n  cost       ${r.cost}`));
});

test('tables of the other verbs', (t) => {
  t.deepEqual(cornerCasesBlock([{ number: 7, scenario: 'x', rule: 'isolation' }, { number: 76, outOfScope: 'y' }]).split('\n'), ['no  rule       scenario', ' 7  isolation  x', '76  -          not decided: y']);
  t.deepEqual(mutantsBlock([{ name: 'm', found: 'fuzz', about: 'x' }, { name: 'n', found: 'fuzz', zoo: ['C1', 'C2'], about: 'y' }]).split('\n'),
    ['mutant  found by  zoo    about', 'm       fuzz      -      x', 'n       fuzz      C1 C2  y']);
  t.is(corpusBlock([{ id: 'i', expects: 'ok', operations: 1200, mutant: null, file: 'f' }]), 'id  expects    ops  mutant  file\ni   ok       1,200  -       f');
  t.deepEqual(countsLines('events', { a: 1200, none: 0, bb: 3 }), ['  events', '    1,200  a', '        3  bb']);
  t.deepEqual(countsLines('events', { none: 0 }), []);
  t.is(benchBlock([{ name: 'side', operationsPerSecond: 2000, ratio: 1, plainLoops: 9.25 }], ['n']), 'side  per second   ns each  ratio  plain loops\nside        2.0k  500000.0   1.00          9.3\n  n');
  t.regex(doctorBlock([{ name: 'a', ok: true, detail: 'd' }]), /^\[ok\]/);
  t.regex(doctorBlock([{ name: 'a', ok: false, detail: 'd' }]), /^\[error\] .*\n {2}BAD {2}a {2}d$/);
});
