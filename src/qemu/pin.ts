/**
 * Pin: this thread and the QEMU that it starts on one processor. They never run at the same time (one waits for the
 * other), and waking a sleeper on the same processor takes a third of the time. Where it cannot be done it is not done.
 *
 * SMMUCHECK_CPU: a number pins there, `any` pins nothing.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { GUARD_NAME } from './guard.js';

export const CPU_VARIABLE = 'SMMUCHECK_CPU';
/** Of /proc/PID/stat, counted from behind the name: the processor that the thread ran on last. */
const STAT_PROCESSOR = 36;

let users = 0;
/** What to go back to when nobody uses the pin any more; null when nothing was pinned. */
let before: { readonly thread: string; readonly allowed: string } | null = null;

/** Before each start of a QEMU. */
export function pin(): void {
  users += 1;
  if (users > 1) return;
  try {
    const allowed = allowedOf('thread-self');
    const cpu = wanted(allowed);
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1) ?? '';
    if (cpu !== null && cpu !== allowed && affinity(cpu, thread)) before = { thread, allowed };
  } catch {
    // No such /proc: the scheduler places both.
  }
}

/** When a QEMU has ended; the last one gives the thread its freedom back, so that what it starts later has it as well. */
export function unpin(): void {
  users -= 1;
  if (users > 0 || before === null) return;
  affinity(before.allowed, before.thread);
  before = null;
}

function affinity(cpus: string, thread: string): boolean {
  return spawnSync('taskset', ['-cp', cpus, thread], { stdio: 'ignore', timeout: 2000 }).status === 0;
}

/** As "0-3,8". */
function allowedOf(process: string): string {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${process}/status`, 'utf8'))?.[1] ?? '';
}

/** The named processor; else, of those allowed, one that the fewest others pinned a QEMU to, and best the one we run on. */
function wanted(allowed: string): string | null {
  const named = process.env[CPU_VARIABLE];
  if (named !== undefined && named !== '') return /^\d+$/.test(named) ? named : null;
  const here = readFileSync('/proc/thread-self/stat', 'utf8').split(') ').at(-1)?.split(' ')[STAT_PROCESSOR];
  const taken = others();
  const load = (cpu: string): number => taken.filter((t) => t === cpu).length - (cpu === here ? 0.5 : 0);
  return numbers(allowed).map(String).sort((a, b) => load(a) - load(b))[0] ?? null;
}

function numbers(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** What the guards of other programs and threads are allowed to run on. */
function others(): readonly string[] {
  return readdirSync('/proc').filter((name) => /^\d/.test(name)).flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`\0${GUARD_NAME}\0`) ? [allowedOf(pid)] : [];
    } catch {
      return [];
    }
  });
}
