/**
 * Find: which QEMU is driven, and whether what stands there is one. Nothing is ever downloaded or guessed: a named
 * path, the environment, or the search path.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

export const QEMU_PROGRAM = 'qemu-system-aarch64';
export const QEMU_VARIABLE = 'SMMUCHECK_QEMU';
const ANSWER_MS = 10_000;

/** Its message is one sentence that says what was looked for, where, and what to do. */
export class QemuMissing extends Error {
  override readonly name = 'QemuMissing';
}

export interface QemuBinary {
  readonly path: string;
  /** As "7.2.22". */
  readonly version: string;
  /** The first line of `--version`. */
  readonly banner: string;
}

const REMEDY = 'install it (apt-get install qemu-system-arm) or name one with --qemu PATH';

/** The named one, else the one of the environment, else the one in the search path. */
export function findQemu(named?: string): QemuBinary {
  if (process.platform !== 'linux') throw new QemuMissing(`QEMU is driven through /proc, which only Linux has, and this is ${process.platform}`);
  const variable = process.env[QEMU_VARIABLE];
  const [wanted, from] = named !== undefined ? [named, 'which was named'] : variable !== undefined && variable !== '' ? [variable, `which ${QEMU_VARIABLE} names`] : [QEMU_PROGRAM, ''];
  const path = wanted.includes('/') ? resolve(wanted) : inSearchPath(wanted);
  if (path === null) throw new QemuMissing(`no ${wanted}${from === '' ? '' : `, ${from},`} in PATH: ${REMEDY}`);
  return asked(path, from === '' ? '' : `, ${from},`);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function inSearchPath(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((f) => f !== '');
  return folders.map((f) => resolve(join(f, name))).find(executable) ?? null;
}

/** Asks it for its version. */
function asked(path: string, from: string): QemuBinary {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) throw new QemuMissing(`${path}${from} does not exist: ${REMEDY}`);
  if (!executable(path)) throw new QemuMissing(`${path}${from} is not an executable file: ${REMEDY}`);
  const said = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: ANSWER_MS, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'ignore'] });
  const timedOut = said.error !== undefined && 'code' in said.error && said.error.code === 'ETIMEDOUT';
  if (timedOut) throw new QemuMissing(`${path}${from} did not answer to --version within ${ANSWER_MS / 1000} s: ${REMEDY}`);
  const banner = (said.stdout ?? '').split('\n', 1)[0] ?? '';
  const version = /^QEMU emulator version (\d+(?:\.\d+)+)/.exec(banner)?.[1];
  if (version === undefined) throw new QemuMissing(`${path}${from} is not a QEMU, its --version does not say so: ${REMEDY}`);
  return { path, version, banner };
}
