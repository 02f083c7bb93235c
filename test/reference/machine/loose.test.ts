/** What a SYNC has to judge (loose.ts): the same facts die as when every one is judged, on recorded drivers and on hosts of all kinds. */
import { join } from 'node:path';
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { Tables } from '../../../src/reference/machine/tables.js';
import { onePass } from '../../../src/trace/run.js';
import { ROOT } from '../../cli/program.js';
import { Host, Space, type HostOptions } from '../../trace/host.js';

const { judge } = Tables.prototype;
const seen = { syncs: 0, dead: 0, less: 0 };
const wrong: string[] = [];

test.before(() => {
  Tables.prototype.judge = function both(this: Tables, K, m) {
    const dead = judge.call(this, K, m);
    const all = this.judgeAll(K, m);
    seen.syncs += 1;
    seen.dead += all.length;
    if (dead.length !== all.length || !all.every((f) => dead.includes(f))) wrong.push(`${dead.length} of ${all.length}`);
    return dead;
  };
});

test.after.always(() => { Tables.prototype.judge = judge; });

test('recorded drivers', async (t) => {
  for (const name of ['mini', 'vfio', 'bug-no-tlbi']) await onePass(join(ROOT, `test/trace/recordings/linux-${name}-7.2.jsonl.gz`), { machine: 'whole' });
  t.deepEqual(wrong, []);
  t.true(seen.syncs > 50 && seen.dead > 50, JSON.stringify(seen));
});

for (const [name, o, stage] of [['stage 1', {}, 1], ['EL2, 64K', { el2: true, tg: 16 }, 1], ['stage 2', {}, 2], ['PASIDs', { cdMax: 6 }, 1]] as readonly [string, Partial<HostOptions>, 1 | 2][]) {
  test(`${name}: pages, tables taken out, tags that end, the SMMU switched off`, async (t) => {
    const h = new Host(o);
    const s = new Space(h, '0xd0', 7, stage);
    h.attachTo(3, s);
    for (let round = 0; round < 3; round += 1) {
      s.map(0, 0x80000000, { count: 4 }).unmap(0, { count: 2 });
      h.syncs(s, [s.tlbi(0)]).syncs(s, [s.tlbi(s.granule)]);
      s.unlink(3, 0);
      h.syncs(s, [s.tlbi(0, 1, { leaf: round === 1 ? 1 : 0, ttl: 0, tg: 0, num: 0 })]).syncs(s, [s.tlbi(2 * s.granule)]).syncs(s, [s.tlbi(0, 1, { leaf: 0, ttl: 0, tg: 0, num: 0 })]);
    }
    s.map(0, 0x80000000, { count: 4 });
    h.detach(3).issue([s.tlbi(0)]).issue([s.whole()]).attachTo(3, s);
    s.unmap(0);
    h.add({ ev: 'reg', reg: 'CR0', v: '0x8' }).issue([s.tlbi(0)]).add({ ev: 'reg', reg: 'CR0', v: '0xd' }).issue([{ op: OP.CFGI_STE_RANGE, range: 31 }]).issue([s.whole()]);
    await onePass(h.write(), { machine: 'whole' });
    t.deepEqual(wrong, []);
  });
}
