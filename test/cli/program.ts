/** Running the built command line, and cases to give it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Case } from '../../src/operations/case.js';
import { encodeCase } from '../../src/operations/codec.js';
import { smallWorld } from '../../src/stack/world.js';

/** Coverage is of unit tests and properties: in the programs that they start it would only halve the speed. */
const UNCOVERED: NodeJS.ProcessEnv = Object.fromEntries(Object.entries(process.env).filter(([key]) => key !== 'NODE_V8_COVERAGE'));
export const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface How {
  readonly input?: string;
  readonly cwd?: string;
  readonly nodeArguments?: readonly string[];
  /** Called with all of stdout so far, whenever there is more. */
  readonly watch?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void;
}

export function run(args: readonly string[], how: How = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...(how.nodeArguments ?? []), MAIN, ...args], { cwd: how.cwd ?? tmpdir(), env: UNCOVERED });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      how.watch?.(stdout, (signal) => { child.kill(signal); });
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
    child.on('error', reject);
    child.on('close', (code, signal) => { resolve({ code, signal, stdout, stderr }); });
    child.stdin.on('error', () => undefined);
    child.stdin.end(how.input ?? '');
  });
}

/** The document on stdout without what depends on the machine. */
export function document(e: Ended): Record<string, unknown> {
  const value: unknown = JSON.parse(e.stdout);
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  return { ...value, timing: 'some' };
}

const folders: string[] = [];
process.once('exit', () => { for (const at of folders) rmSync(at, { recursive: true, force: true }); });

/** A fresh directory that is gone when the tests of this file have ended. */
export function folder(): string {
  const at = mkdtempSync(join(tmpdir(), 'smmucheck-test-'));
  folders.push(at);
  return at;
}

/** Every file below a directory, with its text. */
export function contents(at: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const entry of readdirSync(at, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    out[path.slice(at.length + 1)] = readFileSync(path, 'utf8');
  }
  return out;
}

/** Passes with the driver as it is; `missing-tlbi` breaks it in its fourth operation. */
export const GOOD: Case = {
  schema: 1, kind: 'driver', world: smallWorld(), subject: { parts: {} },
  operations: [
    { op: 'attach', device: 0, to: 0 },
    { op: 'map', domain: 0, iova: 0x4000, pa: 0x800000000, size: 0x2000, prot: 'rw' },
    { op: 'unmap', domain: 0, iova: 0x4000, size: 0x1000 },
    { op: 'sync', domain: 0 },
    { op: 'access', device: 0, stream: 0, iova: 0x5000, write: false },
  ],
  expect: { verdict: 'ok' }, provenance: {},
};

export const BROKEN: Case = { ...GOOD, subject: { parts: {}, mutant: 'missing-tlbi' }, provenance: { rule: 'stale-translation', cause: 'a level 3 leaf outlives its unmap' } };

export function store(at: string, name: string, c: Case): string {
  const path = join(at, name);
  writeFileSync(path, encodeCase(c));
  return path;
}
