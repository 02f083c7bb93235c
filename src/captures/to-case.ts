/**
 * One recording of a real driver as a case: the world it ran in, the calls its kernel made and the accesses its
 * devices made, in recorded order, with what each access got (`observed`). The right verdict of a recording of a
 * right driver is ok; a recording of a broken one differs in what was observed.
 *
 * StreamIDs are renumbered densely from 0 (`provenance.streams` has the recorded ones); the recording's own page
 * tables, tags and commands are not kept: they are the recorded driver's answers, not its work.
 */
import { basename } from 'node:path';
import type { Case } from '../operations/case.js';
import { OPERATION_KINDS, type OperationKind } from '../stack/operation.js';
import { LIMITS, type World } from '../stack/world.js';
import { emitOperations, type Emitted } from './emit.js';
import { Recorder } from './events.js';
import { CaptureError, readCapture, type CaptureEvent, type ReadLimits } from './read.js';

type Counts = Readonly<Record<string, number>>;

/** What became of every event. `used + ignored + unknown` is every event; calls and returns count by function. */
export interface ImportReport {
  readonly events: number;
  readonly used: Counts;
  /** Known kinds that a case does not need. */
  readonly ignored: Counts;
  /** Kinds and functions this reader does not know. */
  readonly unknown: Counts;
  /** What was lost or had to be assumed, by reason: events that would have been operations and are none, and the like. */
  readonly notes: Counts;
  /** Operations without an event of their own, by kind and reason. */
  readonly added: Counts;
  readonly operations: Readonly<Record<OperationKind, number>>;
  readonly observed: { readonly translated: number; readonly faulted: number; readonly bypassed: number };
}

export interface Imported {
  readonly case: Case;
  readonly report: ImportReport;
}

/** Reads a recording, or its lines up to `until`. Throws CaptureError (unreadable, or more than a world can hold). */
export async function importCapture(path: string, limits: Partial<ReadLimits> = {}, until = Infinity): Promise<Imported> {
  const recorder = new Recorder();
  let events = 0;
  let meta: CaptureEvent | undefined;
  for await (const event of readCapture(path, limits)) {
    if (event.line > until) break;
    meta ??= event;
    recorder.add(event);
    events++;
  }
  const emitted = emitOperations(recorder.finish(), recorder.lives);
  if (emitted.operations.length > LIMITS.operations) {
    throw new CaptureError(`${path}: the recording gives ${emitted.operations.length} operations, but a case has at most ${LIMITS.operations}`);
  }
  if (emitted.domains.length > LIMITS.domains) {
    throw new CaptureError(`${path}: the recording needs ${emitted.domains.length} domains, but a world has at most ${LIMITS.domains}`);
  }
  return {
    case: {
      schema: 1, kind: 'driver', world: worldOf(recorder, emitted), subject: { parts: {} },
      operations: emitted.operations, expect: { verdict: 'ok' }, observed: emitted.observed,
      provenance: provenanceOf(path, meta, recorder, events),
    },
    report: reportOf(recorder, emitted, events),
  };
}

function worldOf(recorder: Recorder, emitted: Emitted): World {
  const { idr0, idr3 } = recorder.tables;
  return {
    smmus: [{
      range: idr3 === undefined || (idr3 & 0x400) !== 0,
      asidBits: idr0 === undefined || (idr0 & 0x1000) !== 0 ? 16 : 8,
      asidMax: 255, queueLog2: 8, eventLog2: 7, tlbEntries: 256,
    }],
    devices: recorder.streams().map((_, i) => ({ smmu: 0, streams: [i] })),
    domains: emitted.domains,
    inputBits: 48,
    // As large as can be, so that only the recorded flushes flush.
    flushQueue: LIMITS.flushQueue,
    storeOrder: 'fifo',
  };
}

function provenanceOf(path: string, meta: CaptureEvent | undefined, recorder: Recorder, events: number): Record<string, string | number> {
  const provenance: Record<string, string | number> = {
    source: basename(path), events,
    streams: recorder.streams().map((sid, i) => `${i}=0x${sid.toString(16)}`).join(' '),
  };
  for (const key of ['kernel', 'qemu', 'workload']) {
    const value = meta?.value(key);
    if (typeof value === 'string') provenance[key] = value.slice(0, 256);
  }
  return provenance;
}

function reportOf(recorder: Recorder, emitted: Emitted, events: number): ImportReport {
  const operations = Object.fromEntries(OPERATION_KINDS.map((kind) => [kind, 0])) as Record<OperationKind, number>;
  for (const o of emitted.operations) operations[o.op]++;
  const { observed } = emitted;
  return {
    events,
    used: plain(recorder.counts.used), ignored: plain(recorder.counts.ignored), unknown: plain(recorder.counts.unknown),
    notes: plain(new Map([...recorder.notes, ...emitted.dropped])),
    added: plain(emitted.added),
    operations,
    observed: {
      translated: observed.filter((o) => 'pa' in o).length,
      faulted: observed.filter((o) => 'fault' in o).length,
      bypassed: observed.filter((o) => 'bypass' in o).length,
    },
  };
}

/** Sorted by name. */
function plain(counts: ReadonlyMap<string, number>): Counts {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
