/** Around: the lines near one line of a recording, for a diagram of its lanes. */
import { readRecording } from '../captures/recording.js';
import type { Recorded } from '../captures/recorded.js';

export interface Around {
  readonly wanted: number;
  /** Lines of the recording as far as it was read. */
  readonly last: number;
  readonly lines: readonly Recorded[];
}

/** Up to `each` lines on either side. Throws CaptureError. */
export async function around(path: string, wanted: number, each: number): Promise<Around> {
  const lines: Recorded[] = [];
  let last = 0;
  for await (const batch of readRecording(path)) {
    for (const r of batch) {
      last = Math.max(last, r.line);
      if (r.line >= wanted - each && r.line <= wanted + each) lines.push(r);
    }
    if (last > wanted + each) break;
  }
  return { wanted, last, lines };
}
