/** conform: campaigns and stored cases on a QEMU where there is one, and one sentence where there is none. */
import concurrent from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeMachineCase } from '../../src/operations/machine-codec.js';
import { USUAL_CONFIG, type MachineCase } from '../../src/operations/machine-case.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import { program, withQemu } from '../qemu/rig.js';
import { contents, document, folder, GOOD, run, store } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

withQemu('a short campaign: a verdict, what it must say, and the same twice', async (t, binary) => {
  const corpus = folder();
  const args = ['conform', '--seed', 'short', '--runs', '200', '--keep-going', '200', '--no-shrink', '--json', '--corpus', corpus];
  const [a, b] = [await run(args), await run(args)];
  t.true(a.code === 0 || a.code === 1, a.stderr);
  const doc = document(a);
  t.deepEqual(doc, document(b));
  t.like(doc, { schema: 1, verb: 'conform', verdict: a.code === 0 ? 'ok' : 'violation', seed: 'short', runs: 200, determinism: { identical: 2, checked: 2 }, unmodelled: [] });
  t.like(doc['qemu'], { path: binary.path, version: binary.version });
  const kinds = doc['kinds'] as Record<string, number>;
  t.is((kinds['raw'] ?? 0) + (kinds['driver'] ?? 0) + (doc['tooLarge'] as number), 200);
  t.true((doc['accesses'] as number) > 200);
  const answers = Object.values(doc['answers'] as Record<string, number>);
  t.is(answers.reduce((x, y) => x + y, 0), doc['accesses'] as number);
  t.true('ok' in (doc['answers'] as object) && 'SYNC' in (doc['commandKinds'] as object));
  t.true((doc['notCovered'] as readonly string[]).length > 1);
  for (const f of doc['failures'] as readonly { cause: string }[]) t.regex(f.cause, /^QEMU /);
  t.regex(a.stderr, /^seed short {2}QEMU emulator version /);
});

withQemu('text: which QEMU, and what is not covered; known deviations are findings without waivers, stored, and replay', async (t, binary) => {
  const corpus = folder();
  const e = await run(['conform', '--seed', 'a', '--runs', '200', '--no-waivers', '--corpus', corpus]);
  t.true(e.stdout.startsWith(`seed a  ${binary.banner}`));
  t.regex(e.stdout, /qemu +\/.*\n +stage [^\n]*granules[^\n]*\n +IDR0 0x/);
  t.regex(e.stdout, /not covered +not in this SMMU: /);
  t.regex(e.stdout, /waived +nothing: every deviation is reported/);
  if (e.code === 0) return t.log('this QEMU deviates nowhere in these sequences');
  t.is(e.code, 1, e.stderr);
  t.regex(e.stdout, /\[violation\] machine-refinement[^]*cause +QEMU [^]*permitted +opt +QEMU[^]*<-- differs/);
  t.regex(e.stdout, /1-minimal|may be reducible/);
  const name = Object.keys(contents(corpus)).find((f) => !f.endsWith('.full.json')) ?? '';
  const again = await run(['conform', join(corpus, name), '--no-waivers']);
  t.is(again.code, 1, again.stderr);
  t.is(/cause +QEMU.*/.exec(again.stdout)?.[0], /cause +QEMU.*/.exec(e.stdout)?.[0]);
  t.is((await run(['replay', join(corpus, name)])).code, 0, 'our own machines do not deviate');
  const waived = await run(['conform', join(corpus, name), '--json']);
  t.true(waived.code === 0 || waived.code === 1);
  t.like(document(waived), { verb: 'conform', verdict: waived.code === 0 ? 'ok' : 'violation', cases: 1 });
});

const WHERE = { smmu: 0, sid: 8, ssid: -1, iova: 0x4000, write: false, privileged: false, instruction: false } as const;

function stored(at: string, name: string, operations: readonly MachineOperation[]): string {
  const c: MachineCase = { schema: 1, kind: 'machine', world: { smmus: [USUAL_CONFIG], frames: 16, judged: true }, operations, expect: { verdict: 'ok' }, provenance: {} };
  const path = join(at, name);
  writeFileSync(path, encodeMachineCase(c));
  return path;
}

withQemu('cases: with the features of this QEMU; what it cannot be asked is said', async (t) => {
  const at = folder();
  // SMMUEN is 0: traffic passes, and below RAM there is nothing that a card reads.
  const passes = await run(['conform', stored(at, 'a.json', [{ op: 'access', ...WHERE, iova: 0x50000000 }])]);
  t.is(passes.code, 0, passes.stderr);
  t.regex(passes.stdout, /features +of this QEMU; the case was made for another SMMU: .*ats/);
  t.regex(passes.stdout, /access +sid 8 0x50000000 read +0x50000000 +0x50000000 +0x50000000/);
  t.regex(passes.stdout, /\[ok\] QEMU does only what the reference permits {2}1 case/);
  const unasked = await run(['conform', stored(at, 'b.json', [{ op: 'access', ...WHERE, sid: 1 }])]);
  t.is(unasked.code, 2);
  t.regex(unasked.stdout, /\[inconclusive\][^]*no device has this StreamID[^]*no access in it could be asked/);
  const ats = await run(['conform', stored(at, 'c.json', [{ op: 'ats-request', ...WHERE }])]);
  t.is(ats.code, 2);
  t.regex(ats.stdout, /no device of the board has ATS/);
  t.is((await run(['conform', store(at, 'd.json', GOOD)])).code, 64);
  t.is((await run(['conform', at])).code, 2, 'the case of the driver is left out');
});

withQemu('a signal: partial results, and QEMU is gone', async (t) => {
  let sent = false;
  const e = await run(['conform', '--seed', 'x', '--time', '2m', '--corpus', folder()], {
    watch: (stdout, kill) => {
      if (sent || !stdout.includes('cases are stored')) return;
      sent = true;
      setTimeout(() => { kill('SIGTERM'); }, 500);
    },
  });
  t.true(e.code === 143 || e.code === 1 || (e.code === null && e.signal === 'SIGTERM'), `${e.code} ${e.stderr}`);
});

test('no QEMU: one sentence, exit 2', async (t) => {
  const e = await run(['conform', '--qemu', '/nonexistent', '--seed', '1']);
  t.is(e.code, 2);
  t.is(e.stdout, '');
  t.regex(e.stderr, /^smmucheck: [^\n]*\/nonexistent[^\n]*\n$/);
  const json = await run(['conform', '--qemu', '/nonexistent', '--json']);
  t.is(json.code, 2);
  t.like(document(json), { schema: 1, verb: 'conform', verdict: 'inconclusive' });
  t.regex(String(document(json)['reason']), /\/nonexistent/);
});

test('what says that it is QEMU and does not come up: one sentence, exit 2', async (t) => {
  const fake = program('#!/bin/sh\n[ "$1" = --version ] && { echo "QEMU emulator version 99.1.2"; exit 0; }\necho "no such machine" >&2\nexit 1\n');
  const e = await run(['conform', '--qemu', fake]);
  t.is(e.code, 2);
  t.regex(e.stderr, /^smmucheck: [^\n]*\n$/);
  if (process.platform === 'linux') t.regex(e.stderr, /QEMU 99\.1\.2 .* cannot be driven: .*no such machine/);
});

test('usage errors', async (t) => {
  for (const args of [['--run', '1', '--runs', '2'], ['--runs', '0'], ['--time', 'soon'], ['--corner-cases', '--seed'], ['/nowhere.json'], ['--profile', 'swarm']]) {
    const e = await run(['conform', ...args]);
    t.is(e.code, 64, args.join(' '));
    t.regex(e.stderr, /^smmucheck: .*\ntry: smmucheck conform --help\n$/);
  }
  const at = folder();
  const e = await run(['conform', stored(at, 'a.json', [{ op: 'access', ...WHERE }]), '--seed', '1']);
  t.is(e.code, 64);
  t.regex(e.stderr, /--seed belongs to a campaign/);
  t.regex((await run(['conform', '--help'])).stdout, /--no-waivers/);
});

withQemu('--corner-cases: a table or directory that cannot be written is told in one sentence', async (t) => {
  const file = join(folder(), 'table.json');
  writeFileSync(file, 'nonsense');
  for (const args of [['--write', file], ['--write', '/nowhere/table.json'], ['--corpus', file], ['--corpus', '/proc/nowhere']]) {
    const e = await run(['conform', '--corner-cases', ...args]);
    t.is(e.code, 64, args.join(' '));
    t.notRegex(e.stderr, /internal error/);
  }
});
