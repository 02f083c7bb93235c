/**
 * The plain text of tracefs (`/sys/kernel/tracing/trace`), as a few kprobes on a machine with an SMMU give it. One line of text is one or more recorded
 * lines: `cw` holds up to four commands, and the CMD_SYNC that a call asks for is implied. The probes, with the names that are understood here:
 *
 *   p:issue      arm_smmu_cmdq_issue_cmdlist      n=, sync=          r:issue_ret
 *   p:cw         arm_smmu_cmdq_write_entries      prod=, n=, c=%8 words of the list
 *   p:entry      arm_smmu_write_entry             at=, v=%8 words of the target
 *   p:pt_map     arm_lpae_map_pages               ops=, iova=, pa=, pgsize=, cnt=       r:pt_map_ret ret=
 *   p:pt_unmap   arm_lpae_unmap_pages             ops=, iova=, pgsize=, cnt=            r:pt_unmap_ret ret=
 *   p:inv        arm_smmu_domain_inv_range        dom=, iova=, size=, leaf=, ops=, stage=, id=  r:inv_ret
 *   r:pt_alloc_ret __arm_lpae_alloc_pages va=     p:pt_free __arm_lpae_free_pages va=   r:dma_unmap_ret __iommu_dma_unmap
 *
 * and the trace event iommu:attach_device_to_domain and lines written to trace_marker.
 */
import { commandName } from '../spec/command.js';
import { CaptureError } from './read.js';
import { MAX_PAGES, type Recorded, type RecordedWhat } from './recorded.js';

const MAX_TEXT = 8192;
const LINE = /\[(\d{3,4})\] \S+ +(\d+\.\d+): (\w+): ?(.*)$/;
/** Other events of the tracer, and the entry halves of calls whose return is understood. */
const KNOWN: ReadonlySet<string> = new Set(['map', 'unmap', 'add_device_to_group', 'remove_device_from_group', 'detach_device_from_domain', 'io_page_fault', 'pt_alloc']);
/** A stage-2 domain among the driver's kinds (0: stage 1, 2: SVA). */
const STAGE_2 = 1;
/** 64-bit words of the command list that one probe can fetch. */
const SEEN_WORDS = 8;

export class TraceText {
  static readonly meta: Recorded = { line: 0, cpu: -1, name: 'meta', what: { kind: 'meta', tracing: true, cleans: false, name: '', roles: [] } };
  readonly #path: string;
  /** By CPU: does the call that issues commands ask for a SYNC? */
  readonly #sync = new Map<number, boolean>();
  #line = 0;

  constructor(path: string) {
    this.#path = path;
  }

  static looksLike(text: string): boolean {
    return text.startsWith('#') || LINE.test(text.slice(0, MAX_TEXT));
  }

  line(text: string, line: number): Recorded[] {
    this.#line = line;
    if (text.length > MAX_TEXT) this.#fail(`the line is longer than ${MAX_TEXT} characters`);
    if (text.startsWith('#')) {
      const written = /entries-in-buffer\/entries-written: (\d+)\/(\d+)/.exec(text);
      if (written !== null && written[1] !== written[2]) this.#fail(`${written[1] as string} of ${written[2] as string} events are left: enlarge buffer_size_kb, so that none is lost`);
      return [];
    }
    if (text.trim() === '') return [];
    if (/LOST \d+ EVENTS/.test(text)) this.#fail('events were lost: enlarge buffer_size_kb');
    const m = LINE.exec(text);
    if (m === null) return this.#fail('the line is neither a comment nor an event of tracefs ("[cpu] flags time: event: fields")');
    return this.#parsed(m, line);
  }

  /** A mark that was written without a newline has the next event on its line. */
  #parsed(m: RegExpExecArray, line: number): Recorded[] {
    const cpu = Number(m[1]);
    const name = m[3] as string;
    const text = m[4] as string;
    const glued = name === 'tracing_mark_write' ? LINE.exec(text) : null;
    if (glued !== null) {
      const mark = text.slice(0, glued.index).replace(/\S{1,64}-\d{1,10} *$/, '');
      return [...this.#recorded(name, mark, { cpu, line }), ...this.#parsed(glued, line)];
    }
    return this.#recorded(name, text, { cpu, line });
  }

  #recorded(name: string, text: string, { cpu, line }: { readonly cpu: number; readonly line: number }): Recorded[] {
    return this.#event(name, new Fields(text, (what) => this.#fail(`in the "${name}" event ${what}`)), cpu).map((what) => ({ line, cpu, name, what }));
  }

  #event(name: string, f: Fields, cpu: number): RecordedWhat[] {
    switch (name) {
      case 'issue': this.#sync.set(cpu, f.number('sync') !== 0); return [{ kind: 'issue', count: f.number('n'), sync: f.number('sync') !== 0 }];
      case 'issue_ret': return [{ kind: 'issue.ret' }];
      case 'cw': return this.#commands(f, this.#sync.get(cpu) === true);
      case 'entry': return [{ kind: 'entry', va: f.text('at'), words: f.words('v', 8) }];
      case 'pt_map': return [{ kind: 'map', dom: null, write: true, pa: f.number('pa'), ...mapping(f) }];
      case 'pt_map_ret': return [{ kind: 'map.ret', ok: f.number('ret') === 0 }];
      case 'pt_unmap': return [{ kind: 'unmap', ...mapping(f) }];
      case 'pt_unmap_ret': return [{ kind: 'unmap.ret', size: f.number('ret') }];
      case 'pt_alloc_ret': return [{ kind: 'page', what: 'alloc', va: f.text('va'), pa: -1, size: 4096 }];
      case 'pt_free': return [{ kind: 'page', what: 'free', va: f.text('va'), pa: -1, size: f.number('size') }];
      case 'inv': return [{ kind: 'inv', dom: f.text('dom'), pt: f.text('ops'), iova: f.number('iova'), size: f.number('size'), leaf: f.number('leaf') !== 0, stage: f.has('stage') && f.number('stage') === STAGE_2 ? 2 : 1, id: f.number('id') }];
      case 'inv_ret': return [{ kind: 'ret', f: 'arm_smmu_domain_inv_range' }];
      case 'dma_unmap_ret': return [{ kind: 'ret', f: '__iommu_dma_unmap' }];
      case 'attach_device_to_domain': return [{ kind: 'attached', text: f.all.slice(0, 200) }];
      case 'tracing_mark_write': return [{ kind: 'mark', text: f.all.replace(/^M: /, '').trim().slice(0, 200) }];
      default: return [KNOWN.has(name) ? { kind: 'ignored' } : { kind: 'unknown' }];
    }
  }

  #commands(f: Fields, sync: boolean): RecordedWhat[] {
    const n = f.number('n');
    const words = f.words('c', SEEN_WORDS);
    const prod = f.number('prod');
    const seen = Math.min(n, SEEN_WORDS / 2);
    const out: RecordedWhat[] = [];
    for (let i = 0; i < seen; i += 1) {
      const raw = words.slice(i * 4, i * 4 + 4);
      out.push({ kind: 'cmd', idx: prod + i, op: commandName((raw[0] as number) & 0xff) ?? `0x${((raw[0] as number) & 0xff).toString(16)}`, raw });
    }
    if (n > seen) out.push({ kind: 'unseen', commands: n - seen });
    if (sync) out.push({ kind: 'cmd', idx: prod + n, op: 'SYNC', raw: null });
    return out;
  }

  #fail(problem: string): never {
    throw new CaptureError(`${this.#path}:${this.#line}: ${problem}`);
  }
}

function mapping(f: Fields): { pt: string; iova: number; pgsize: number; count: number } {
  const at = { pt: f.text('ops'), iova: f.number('iova'), pgsize: f.number('pgsize'), count: f.number('cnt') };
  if (at.iova % 4096 !== 0 || at.pgsize % 4096 !== 0 || at.pgsize === 0) f.fail('"iova" and "pgsize" must be multiples of 4096');
  if (at.count > MAX_PAGES) f.fail(`"cnt=" is larger than ${MAX_PAGES}`);
  if (!Number.isSafeInteger(at.iova + at.pgsize * at.count)) f.fail('the range is beyond 2^53');
  return at;
}

/** `name=value` pairs. */
class Fields {
  readonly all: string;
  readonly fail: (problem: string) => never;

  constructor(all: string, fail: (problem: string) => never) {
    this.all = all;
    this.fail = fail;
  }

  has(name: string): boolean {
    return ` ${this.all}`.includes(` ${name}=`);
  }

  text(name: string): string {
    const at = ` ${this.all}`.indexOf(` ${name}=`);
    const value = at < 0 ? undefined : this.all.slice(at + name.length + 1).split(' ', 1)[0];
    return value === undefined || value === '' ? this.fail(`"${name}=" is missing`) : value;
  }

  number(name: string): number {
    const text = this.text(name);
    const n = /^(0x[0-9a-f]{1,16}|[0-9]{1,16})$/i.test(text) ? Number(text) : NaN;
    return Number.isSafeInteger(n) ? n : this.fail(`"${name}=" must be a number below 2^53`);
  }

  /** 64-bit words in braces, as halves, low first. */
  words(name: string, count: number): number[] {
    const text = this.text(name);
    const words = text.replace(/^\{|\}$/g, '').split(',');
    if (words.length !== count || !words.every((w) => /^0x[0-9a-f]{1,16}$/i.test(w))) this.fail(`"${name}=" must be ${count} words in braces`);
    return words.flatMap((w) => {
      const digits = w.slice(2).padStart(16, '0');
      return [parseInt(digits.slice(8), 16), parseInt(digits.slice(0, 8), 16)];
    });
  }
}
