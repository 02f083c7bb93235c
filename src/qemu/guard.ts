/**
 * Guard: a shell in a session of its own that starts QEMU and outlives us, if only by a moment. Its stdin is a
 * lifeline whose other end nobody but us holds: when that closes, because we said so, were killed or crashed, it kills
 * QEMU and takes it in. No signal for us reaches it. If it is killed itself, the kernel kills QEMU (setpriv).
 *
 * The two pipes are made by the shell and never have a name. QEMU holds both ends of both, so that nobody else needs
 * to; we open ours through /proc. QEMU's death therefore is seen at once: end of file on the one, EPIPE on the other.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { textOf } from './unnamed.js';

/**
 * Descriptors: 0 the lifeline, 1 the report, 2 messages, 3 guest RAM. The pipes are those of two pipelines whose left
 * sides do nothing: the outer one becomes QEMU's stdout, the inner one its stdin. QEMU's own process reports its number
 * when its descriptors are in place; in a subshell, because "echo >&6" itself would turn its stdout away for a moment.
 */
const SCRIPT = `
trap "" HUP INT QUIT TERM
ulimit -c 0
exec 4<&0
: | {
  exec 5<>/proc/self/fd/0
  : | sh -c 'exec 0<>/proc/self/fd/0; (echo $$ >&6); exec "$@" 6>&-' sh "$@" 6>&1 1>&5 4<&- 5>&- &
  qemu=$!
  exec 0<&4 2>/dev/null 3>&- 4<&- 5>&-
  read -r _
  kill -9 $qemu
  wait $qemu
}
echo end`;

/** Its name among the processes: the shell's first argument behind the script. */
export const GUARD_NAME = 'smmucheck-guard';
const TICK_MS = 1;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps, and lets nothing else run meanwhile. */
export function pause(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

let dies: readonly string[] | null = null;

/** What makes a program die with its parent, in front of its command line; nothing where it does not exist. */
export function withParent(): readonly string[] {
  const prefix = ['setpriv', '--pdeathsig', 'KILL'];
  dies ??= spawnSync('setpriv', [...prefix.slice(1), 'true'], { stdio: 'ignore', timeout: 5000 }).status === 0 ? prefix : [];
  return dies;
}

export interface GuardStart {
  readonly command: readonly string[];
  /** Descriptors, which stay ours: what the guard reports, what QEMU says, and guest RAM. */
  readonly report: number;
  readonly messages: number;
  readonly ram: number;
  readonly patienceMs: number;
}

export class Guard {
  readonly #shell: ChildProcess;
  /** QEMU's; 0 when it never came so far. */
  readonly pid: number;

  constructor(s: GuardStart) {
    this.#shell = spawn('sh', ['-c', SCRIPT, GUARD_NAME, ...withParent(), ...s.command], { detached: true, stdio: ['pipe', s.report, s.messages, s.ram] });
    this.#shell.on('error', () => undefined);
    this.#shell.stdin?.on('error', () => undefined);
    // We may end while it still stands.
    this.#shell.unref();
    const lifeline: unknown = this.#shell.stdin;
    if (typeof lifeline === 'object' && lifeline !== null && 'unref' in lifeline && typeof lifeline.unref === 'function') lifeline.unref();
    this.pid = this.#shell.pid === undefined ? 0 : reported(s);
  }

  /** Our end of the pipe to QEMU's descriptor. Both ends first: opening one blocks while nobody holds the other. */
  open(descriptor: 0 | 1): number {
    const both = openSync(`/proc/${this.pid}/fd/${descriptor}`, constants.O_RDWR);
    try {
      return openSync(`/proc/self/fd/${both}`, descriptor === 0 ? constants.O_WRONLY : constants.O_RDONLY);
    } finally {
      closeSync(both);
    }
  }

  kill(): void {
    if (this.pid === 0) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }

  /** Lets go of the lifeline: QEMU is killed and taken in, the guard ends. */
  release(): void {
    this.#shell.stdin?.destroy();
  }

  /** Waits until nothing is left of QEMU, but not for ever. */
  gone(ms: number): boolean {
    for (let waited = 0; waited < ms; waited += TICK_MS) {
      if (this.#stat() === null) return true;
      pause(TICK_MS);
    }
    return false;
  }

  /** How a QEMU that has closed its pipe ended, as "signal 11" or "exit status 1"; the empty string when the system does not tell. */
  ending(): string {
    for (let waited = 0; waited < 500; waited += TICK_MS) {
      const stat = this.#stat();
      if (stat === null) return '';
      if (stat[0] === 'Z') {
        const code = Number(stat.at(-1));
        return (code & 0x7f) !== 0 ? `signal ${code & 0x7f}` : `exit status ${code >> 8}`;
      }
      pause(TICK_MS);
    }
    return '';
  }

  /** The words of /proc/PID/stat behind the name: the state first, the exit code last. */
  #stat(): readonly string[] | null {
    try {
      return readFileSync(`/proc/${this.pid}/stat`, 'latin1').trimEnd().split(') ').at(-1)?.split(' ') ?? null;
    } catch {
      return null;
    }
  }
}

/** QEMU's process number, from the report. */
function reported(s: GuardStart): number {
  for (let waited = 0; waited < s.patienceMs; waited += TICK_MS) {
    const text = textOf(s.report, 0, 64);
    if (text.startsWith('end')) return 0;
    if (text.includes('\n')) return Number.parseInt(text, 10);
    pause(TICK_MS);
  }
  return 0;
}
