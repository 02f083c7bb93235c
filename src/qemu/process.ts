/**
 * Process: one QEMU that is driven through its qtest interface, strictly synchronously: text out, replies back. It
 * never outlives us, whatever ends us, and leaves nothing with a name behind. A QEMU that dies or does not answer is an
 * ordinary way for a call to end: QemuDied.
 */
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import type { QemuBinary } from './find.js';
import { Guard } from './guard.js';
import { pin, unpin } from './pin.js';
import { textOf, unnamedFile } from './unnamed.js';
import { Watch } from './watchdog.js';

/** A pipe holds 64 KB: half of that on the way to QEMU, and replies on the way back that are far less, never fill one. */
const BATCH_BYTES = 32_768;
const BATCH_REPLIES = 200;
/** Starting may take so many times as long as a reply. */
const START_PATIENCE = 10;
const GONE_MS = 2_000;
const STDERR_BYTES = 8_192;
const STDERR_LINES = 10;
const HARMLESS = /has no peer/;

export class QemuDied extends Error {
  override readonly name = 'QemuDied';
  readonly how: 'died' | 'hung';
  /** The last lines, without the harmless ones. */
  readonly stderr: string;

  constructor(how: 'died' | 'hung', message: string, stderr: string) {
    super(stderr === '' ? message : `${message}: ${stderr.split('\n').at(-1)}`);
    this.how = how;
    this.stderr = stderr;
  }
}

export interface QemuStart {
  readonly binary: QemuBinary;
  /** Machine, devices, … without -qtest, the memory backend (`ram` is its id) and -accel. */
  readonly args: readonly string[];
  readonly accel: 'tcg' | 'qtest';
  readonly ramBytes: number;
  /** A reply that does not come for so long means that it hangs. */
  readonly patienceMs: number;
}

/** Every QEMU that runs; what is left when we end goes with us. */
const running = new Set<QemuProcess>();

function endAll(): void {
  for (const one of running) one.end();
}

interface Files {
  readonly ram: number;
  readonly report: number;
  readonly messages: number;
}

export class QemuProcess {
  /** Descriptor of guest RAM: offset 0 is its first byte. */
  readonly ram: number;
  readonly pid: number;
  readonly #files: Files;
  readonly #guard: Guard;
  readonly #watch: Watch;
  #to = -1;
  #from = -1;
  #over: QemuDied | null = null;
  #ended = false;
  readonly #in = Buffer.alloc(65_536);
  /** The beginning of a reply whose end has not come yet. */
  #rest = '';

  static start(s: QemuStart): QemuProcess {
    const opened: number[] = [];
    const file = (bytes: number): number => {
      const fd = unnamedFile(bytes);
      opened.push(fd);
      return fd;
    };
    pin();
    try {
      const files = { ram: file(s.ramBytes), report: file(0), messages: file(0) };
      return new QemuProcess(s, files);
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      unpin();
      throw error;
    }
  }

  private constructor(s: QemuStart, files: Files) {
    const startMs = START_PATIENCE * s.patienceMs;
    this.#files = files;
    this.ram = files.ram;
    this.#guard = new Guard({ ...files, command: commandLine(s), patienceMs: startMs });
    this.pid = this.#guard.pid;
    try {
      if (this.pid === 0) throw this.#died('QEMU did not come up');
      this.#watch = new Watch(this.pid, startMs);
    } catch (error) {
      this.#guard.release();
      throw error;
    }
    try {
      this.#open();
      this.exchange('endianness\n', 1);
      this.#watch.patience(s.patienceMs);
    } catch (error) {
      this.#close();
      throw error;
    }
    if (running.size === 0) process.on('exit', endAll);
    running.add(this);
  }

  #open(): void {
    try {
      this.#to = this.#guard.open(0);
      this.#from = this.#guard.open(1);
    } catch {
      throw this.#died('QEMU did not come up');
    }
  }

  /** Sends lines and returns their replies. What does not fit on the way is sent in pieces. */
  exchange(text: string, replies: number): readonly string[] {
    if (this.#over !== null) throw this.#over;
    if (this.#ended) throw new QemuDied('died', 'this QEMU was ended', '');
    const found: string[] = [];
    if (text.length <= BATCH_BYTES && replies <= BATCH_REPLIES) this.#trip(text, replies, found);
    else for (const piece of pieces(text)) this.#trip(piece.text, piece.lines, found);
    for (let i = 0; i < found.length; i += 1) {
      const reply = found[i] as string;
      if (!reply.startsWith('OK')) throw new Error(`QEMU refuses ${text.split('\n')[i]}: ${reply}`);
    }
    return found;
  }

  /** One piece to QEMU and its replies back, watched. */
  #trip(text: string, replies: number, found: string[]): void {
    this.#watch.turn();
    try {
      this.#send(text);
      for (const end = found.length + replies; found.length < end;) this.#receive(found, end);
    } catch (error) {
      this.#over = error instanceof QemuDied ? error : this.#died('QEMU died');
      this.#guard.kill();
      throw this.#over;
    }
    this.#watch.turn();
  }

  #send(text: string): void {
    const n = writeSync(this.#to, text, null, 'latin1');
    if (n === text.length) return;
    const bytes = Buffer.from(text, 'latin1');
    for (let at = n; at < bytes.length;) at += writeSync(this.#to, bytes, at);
  }

  #receive(found: string[], end: number): void {
    const n = readSync(this.#from, this.#in, 0, this.#in.length, null);
    if (n === 0) throw this.#died('QEMU died');
    const text = this.#rest + this.#in.toString('latin1', 0, n);
    let from = 0;
    for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
      const line = text.slice(from, to);
      from = to + 1;
      if (line.startsWith('IRQ ')) continue;
      if (!/^(OK|FAIL|ERR)\b/.test(line) || found.length === end) throw this.#died(`QEMU said what is no reply (${line.slice(0, 80)})`);
      found.push(line);
    }
    this.#rest = text.slice(from);
  }

  #died(message: string): QemuDied {
    const hung = this.pid !== 0 && this.#watch.hung;
    const ending = message === 'QEMU died' && !hung ? this.#guard.ending() : '';
    const said = hung ? 'QEMU did not answer and was killed' : ending === '' ? message : `${message} (${ending})`;
    return new QemuDied(hung ? 'hung' : 'died', said, lastWords(this.#files.messages));
  }

  /** Kills it, takes it in, closes everything. Again does nothing. */
  end(): void {
    if (this.#ended) return;
    this.#close();
    for (const fd of [this.#files.ram, this.#files.report, this.#files.messages]) closeSync(fd);
    running.delete(this);
    if (running.size === 0) process.off('exit', endAll);
    unpin();
  }

  #close(): void {
    this.#ended = true;
    this.#guard.kill();
    this.#guard.release();
    this.#guard.gone(GONE_MS);
    this.#watch.end();
    for (const fd of [this.#to, this.#from]) if (fd >= 0) closeSync(fd);
  }
}

function commandLine(s: QemuStart): readonly string[] {
  return [
    s.binary.path, '-no-user-config', ...s.args, '-accel', s.accel, ...(s.accel === 'tcg' ? ['-S'] : []),
    '-object', `memory-backend-file,id=ram,size=${s.ramBytes},mem-path=/proc/self/fd/3,share=on`, '-qtest', 'stdio', '-qtest-log', 'none',
  ];
}

/** Pieces of whole lines that fit on the way; a line that is longer is a piece of its own. */
function* pieces(text: string): Generator<{ readonly text: string; readonly lines: number }> {
  let from = 0;
  while (from < text.length) {
    let to = from;
    let lines = 0;
    while (to < text.length && lines < BATCH_REPLIES) {
      const end = text.indexOf('\n', to) + 1 || text.length;
      if (lines > 0 && end - from > BATCH_BYTES) break;
      to = end;
      lines += 1;
    }
    yield { text: text.slice(from, to), lines };
    from = to;
  }
}

function lastWords(fd: number): string {
  const from = Math.max(0, fstatSync(fd).size - STDERR_BYTES);
  return textOf(fd, from, STDERR_BYTES).split('\n').filter((l) => l.trim() !== '' && !HARMLESS.test(l)).slice(-STDERR_LINES).join('\n');
}
