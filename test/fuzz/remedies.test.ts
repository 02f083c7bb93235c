/** Remedies: what is tried, narrowest first; and what turns out to be missing in corner cases. */
import test from 'ava';
import { machineFailureRecord } from '../../src/fuzz/machine-failure.js';
import { remedies } from '../../src/fuzz/remedies.js';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import { DECIDED } from '../../src/operations/corner/cases.js';
import { newCommand, OP } from '../../src/spec/command.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';

const command = (asid: number, queue = 0): MachineOperation => ({ op: 'command', smmu: 0, queue, command: { ...newCommand(), op: OP.TLBI_NH_ASID, asid } });
const sync: MachineOperation = { op: 'sync', smmu: 0, queue: 0, msi: 0 };
const store: MachineOperation = { op: 'store', at: 0, lo: 0, hi: 0, held: true };
const claim: MachineOperation = { op: 'claim', smmu: 0, sid: 3, ssid: -1, iova: 0, write: false, privileged: false, instruction: false, rule: 'isolation', translated: false, allow: [] };

test('barrier, SYNCs, SYNCs between commands, exact commands, broad commands', (t) => {
  const operations = [command(1), sync, store, command(2), command(3), command(4, 1), sync, claim];
  const found = [...remedies(operations, 7, [[{ ...newCommand(), op: OP.TLBI_NH_ASID, asid: 9 }, { ...newCommand(), op: OP.TLBI_NSNH_ALL }]])];
  t.deepEqual(found.slice(0, 5).map((r) => r.text), [
    'a barrier behind op 3', 'a CMD_SYNC in front of op 8', 'a CMD_SYNC of queue 1 in front of op 8',
    'a CMD_SYNC between op 4 TLBI_NH_ASID vmid 0 asid 2 and op 5 TLBI_NH_ASID vmid 0 asid 3',
    'TLBI_NH_ASID vmid 0 asid 9 and a CMD_SYNC, then TLBI_NSNH_ALL and a CMD_SYNC in front of op 8',
  ]);
  t.deepEqual(found.map((r) => r.at).slice(0, 5), [3, 7, 7, 4, 7]);
  t.deepEqual(found[4]?.operations.map((o) => o.op), ['command', 'sync', 'command', 'sync']);
  t.regex(found.at(-1)?.text ?? '', /CFGI_STE_RANGE all .* then TLBI_NSNH_ALL .* then ATC_INV sid 3 everything/);
  t.deepEqual([...remedies([claim], 0, [])].map((r) => r.text).slice(0, 2), ['a CMD_SYNC in front of op 1', 'TLBI_NSNH_ALL and a CMD_SYNC in front of op 1']);
});

test('a freed page: every SMMU that was used gets the commands', (t) => {
  const free: MachineOperation = { op: 'free', at: 0, frames: 1 };
  const [first] = remedies([{ ...command(1), smmu: 1 } as MachineOperation, command(1), free], 2, []);
  t.deepEqual(first?.operations.map((o) => ('smmu' in o ? o.smmu : -1)).sort(), [0, 1]);
});

function verified(n: number): string | null {
  const c = DECIDED.find((d) => d.number === n);
  if (c === undefined) return null;
  const { violation } = replayMachine(c.world, c.wrong);
  if (violation === null) return null;
  const record = machineFailureRecord({ world: c.world, operations: c.wrong }, violation, null, { shrunk: null, file: null, fullFile: null });
  return record.explanation.verified;
}

test('what is missing is found, and no more than that', (t) => {
  t.is(verified(38), 'inserting a CMD_SYNC between op 19 TLBI_S2_IPA vmid 5 ipa 0x20100000 leaf and op 20 TLBI_NH_ALL vmid 5 removes the violation');
  t.regex(verified(26) ?? '', /^inserting TLBI_NH_VA vmid 0 asid 2 va 0x10000000 leaf and a CMD_SYNC in front of op \d+ removes/);
  t.regex(verified(36) ?? '', /^inserting a CMD_SYNC of queue 1 /);
  t.regex(verified(45) ?? '', /^inserting a barrier behind op /);
  t.regex(verified(51) ?? '', /^inserting CFGI_CD sid 2 ssid 0 leaf /);
  t.regex(verified(78) ?? '', /^inserting ATC_INV sid 1 va 0x1000a000 size 0 /);
});

test('without a story the last commands and register writes are named, and boot is not', (t) => {
  const c = DECIDED.find((d) => d.number === 73);
  if (c === undefined) return t.fail();
  const { violation } = replayMachine(c.world, c.wrong);
  if (violation === null) return t.fail();
  const { because, verified: found, tried } = machineFailureRecord({ world: c.world, operations: c.wrong }, violation, null, { shrunk: null, file: null, fullFile: null }).explanation;
  t.regex(because.at(-1) ?? '', /^op \d+ writes CMDQ_PROD = 0x/);
  t.notRegex(because.join('\n'), /CFGI_STE_RANGE all|TLBI_EL2_ALL|op 8 CMD_SYNC completes/);
  t.is(found, null);
  t.is(tried, 0);
});
