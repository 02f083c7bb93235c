/** mark and undo restore the exact fact set, wildcards and queue after each kind of step, and what follows is as before. */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { stateText } from './listing.js';
import {
  ASID, cdWords, cfgiCd, CFGI_ALL, cfgiSte, cmd, connected, L2, L3, leaf, MB2, nhAsid, nhVa, NSNH_ALL, page, Rig, ROOT, SPARE, SYNC, table,
} from './rig.js';

/** Stale leaves and tables, an orphan, a stale CD, a published command: something of everything to lose. */
function eventful(): Rig {
  const rig = connected();
  rig.memory.journal.recording = true;
  rig.put(L3, 3, page(0x13));
  rig.put(L2, 1, table(SPARE));
  rig.put(SPARE, 0, page(0x20));
  rig.put(SPARE, 1, page(0x21));
  rig.clear(L3, 3);
  rig.clear(L2, 1);
  rig.batch(nhVa(ASID, MB2)); // leaves the page at MB2 + 1 an orphan
  rig.put(L2, 3, table(SPARE));
  rig.clear(L2, 3);
  rig.cd(0, cdWords(2, ROOT));
  rig.clear(L3, 1);
  rig.publish(nhAsid(2));
  return rig;
}

const STEPS: Readonly<Record<string, (rig: Rig) => void>> = {
  'a leaf cleared': (rig) => rig.clear(L3, 0),
  'a leaf added': (rig) => rig.put(L3, 9, page(0x19)),
  'a table unlinked': (rig) => rig.clear(L2, 0),
  'a table linked': (rig) => rig.put(L2, 2, table(SPARE)),
  'a table linked again': (rig) => rig.put(L2, 3, table(SPARE)),
  'a block over a table': (rig) => rig.put(L2, 0, leaf(0x400, 2)),
  'an upper table unlinked': (rig) => rig.clear(ROOT, 0),
  'an STE changed': (rig) => rig.ste(0, 'abort'),
  'an STE changed and back': (rig) => { rig.ste(0, 'abort'); rig.ste(0, { cd: 0 }); },
  'a CD changed': (rig) => rig.cd(0, cdWords(3, ROOT)),
  'a CD changed back': (rig) => rig.cd(0, cdWords(ASID, ROOT)),
  'a stream connected': (rig) => { rig.cd(1, cdWords(5, ROOT)); rig.ste(1, { cd: 1 }); },
  'a command published': (rig) => rig.publish(nhAsid(ASID)),
  'a command behind a SYNC': (rig) => rig.publish(SYNC, nhAsid(ASID)),
  'a SYNC with NH_VA': (rig) => rig.batch(nhVa(ASID, 0, { tg: 1, num: 3, scale: 9 })),
  'a SYNC with NH_VA, leaf only': (rig) => rig.batch(nhVa(ASID, 3, { leaf: 1 })),
  'a SYNC with NH_ASID': (rig) => rig.batch(nhAsid(ASID)),
  'a SYNC with NSNH_ALL': (rig) => rig.batch(NSNH_ALL),
  'a SYNC with CFGI_CD': (rig) => rig.batch(cfgiCd(0)),
  'a SYNC with CFGI_CD, then NH_ASID': (rig) => { rig.batch(cfgiCd(0)); rig.batch(nhAsid(ASID)); },
  'a stream gone': (rig) => { rig.ste(0, 'abort'); rig.batch(cfgiSte(0)); },
  'a stream gone and its tag flushed': (rig) => { rig.ste(0, 'abort'); rig.batch(cfgiSte(0)); rig.batch(NSNH_ALL); },
  'a stream gone and back': (rig) => { rig.ste(0, 'abort'); rig.batch(cfgiSte(0)); rig.ste(0, { cd: 0 }); },
  'two SYNCs seen late': (rig) => { rig.publish(nhAsid(2), SYNC, NSNH_ALL, SYNC); rig.clear(L3, 0); rig.finish(); },
};

for (const [name, act] of Object.entries(STEPS)) {
  test(`mark and undo: ${name}`, (t) => {
    const rig = eventful();
    const { memory, machine } = rig;
    const before = { facts: stateText(machine, 4), a: memory.printA, b: memory.printB, now: memory.journal.clock.now, watched: memory.watched.slice() };
    const pointers = { prod: rig.prod, published: rig.published, cons: rig.cons };
    const mark = memory.journal.mark();
    act(rig);
    const first = stateText(machine, 4);
    t.not(first, before.facts, 'the step must do something');
    memory.journal.undo(mark);
    Object.assign(rig, pointers);
    t.is(stateText(machine, 4), before.facts);
    t.deepEqual([memory.printA, memory.printB, memory.journal.clock.now], [before.a, before.b, before.now]);
    t.deepEqual(memory.watched, before.watched);
    act(rig);
    t.is(stateText(machine, 4), first, 'done again it gives the same');
  });
}

test('mark and undo: enabling, with the wildcards of reset', (t) => {
  const rig = new Rig();
  rig.memory.journal.recording = true;
  rig.put(ROOT, 0, leaf(0, 1));
  rig.cd(0, cdWords(ASID, ROOT));
  rig.ste(0, { cd: 0 });
  const before = stateText(rig.machine, 4);
  const pointers = { prod: rig.prod, published: rig.published, cons: rig.cons };
  const mark = rig.memory.journal.mark();
  rig.batch(CFGI_ALL, nhAsid(1), cmd({ op: OP.CFGI_CD_ALL, sid: 1 }));
  rig.enable();
  const first = stateText(rig.machine, 4);
  t.true(rig.holdsBlock(ASID, 0, 0, 1));
  t.false(rig.machine.unknownTag(1));
  rig.memory.journal.undo(mark);
  Object.assign(rig, pointers);
  t.is(stateText(rig.machine, 4), before);
  t.true(rig.machine.unknownTag(1));
  rig.batch(CFGI_ALL, nhAsid(1), cmd({ op: OP.CFGI_CD_ALL, sid: 1 }));
  rig.enable();
  t.is(stateText(rig.machine, 4), first);
});
