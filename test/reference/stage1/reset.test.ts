/** At reset every cache may hold anything: what is unknown stays unknown until the right CFGI or TLBI and its SYNC. */
import test from 'ava';
import { OP, type Command } from '../../../src/spec/command.js';
import { CFGI_ALL, cfgiCd, cfgiSte, cmd, NH_ALL, nhAsid, nhVa, NSNH_ALL, Rig } from './rig.js';

function enabledAfter(...commands: readonly Command[]): Rig {
  const rig = new Rig();
  rig.batch(...commands);
  rig.enable();
  return rig;
}

test('after reset every tag and every stream is unknown', (t) => {
  const rig = enabledAfter();
  t.true(rig.machine.unknownTag(0));
  t.true(rig.machine.unknownTag(1));
  t.is(rig.machine.unknownConfiguration(), 0);
});

test('NH_ALL and NSNH_ALL clean every tag', (t) => {
  for (const c of [NH_ALL, NSNH_ALL]) t.false(enabledAfter(c).machine.unknownTag(7));
});

test('NH_ASID cleans its own tag only', (t) => {
  const rig = enabledAfter(nhAsid(1));
  t.false(rig.machine.unknownTag(1));
  t.true(rig.machine.unknownTag(2));
});

test('a TLBI by address cleans no tag', (t) => {
  t.true(enabledAfter(nhVa(1, 0, { tg: 1, num: 31, scale: 31 })).machine.unknownTag(1));
});

test('CFGI cleans no tag and TLBI no stream', (t) => {
  t.true(enabledAfter(CFGI_ALL).machine.unknownTag(1));
  t.is(enabledAfter(NSNH_ALL).machine.unknownConfiguration(), 0);
});

test('CFGI_ALL cleans every stream', (t) => {
  t.is(enabledAfter(CFGI_ALL).machine.unknownConfiguration(), -1);
});

test('CFGI_STE of every stream is enough, of all but one is not', (t) => {
  t.is(enabledAfter(...[0, 1, 2, 3].map((sid) => cfgiSte(sid))).machine.unknownConfiguration(), -1);
  t.is(enabledAfter(...[0, 1, 3].map((sid) => cfgiSte(sid))).machine.unknownConfiguration(), 2);
});

test('CFGI_STE_RANGE cleans its aligned block', (t) => {
  t.is(enabledAfter(cmd({ op: OP.CFGI_STE_RANGE, sid: 1, range: 0 })).machine.unknownConfiguration(), 2);
});

test('CFGI_CD and CFGI_CD_ALL leave the STE unknown', (t) => {
  t.is(enabledAfter(cfgiCd(0), cmd({ op: OP.CFGI_CD_ALL, sid: 0 })).machine.unknownConfiguration(), 0);
});

test('without SYNC nothing is clean', (t) => {
  const rig = new Rig();
  rig.publish(CFGI_ALL, NSNH_ALL);
  rig.finish();
  rig.enable();
  t.true(rig.machine.unknownTag(1));
  t.is(rig.machine.unknownConfiguration(), 0);
});
