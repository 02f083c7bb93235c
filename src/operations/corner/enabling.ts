/**
 * Corner cases 97-101: switching the SMMU off and on (IHI 0070 §3.11, §3.19, §6.3.9.6, §6.3.14, §6.3.24).
 */
import { GBPA_ABORT, GBPA_UPDATE, REG } from '../../spec/register.js';
import {
  ABORTED, cfgiAll, claim, disable, domain, enable, GONE, outOfScope, pair, register, sync, tlbiVa, unmap, write, type CornerCase,
} from './builder.js';
import { ABORT, IOVA, OTHER_STREAMS, ste, TABLE_A } from './layout.js';

const A = TABLE_A;

export const ENABLING: readonly CornerCase[] = [
  pair(97, 'off-and-on', {
    scenario: 'SMMUEN off and on leaves the TLB as it is', clause: '§6.3.9.6', rule: 'stale-translation',
    before: [domain(), disable(), unmap(A, IOVA)],
    right: [tlbiVa(1, IOVA), sync()], wrong: [],
    after: [enable(), claim('stale-translation', IOVA, GONE)],
  }),
  outOfScope(98, 'a transaction and an update of SMMUEN are one step each: none is under way while the other happens'),
  outOfScope(99, 'STATUSR.DORMANT is not modelled (IDR0.DORMHINT = 0)'),
  pair(100, 'window-of-bypass', {
    scenario: 'between two kernels the SMMU is off: without GBPA.ABORT the devices reach memory as they like', clause: '§3.11, §6.3.14', rule: 'isolation',
    before: domain(),
    right: register(REG.GBPA, GBPA_UPDATE + GBPA_ABORT), wrong: [],
    after: [disable(), claim('isolation', IOVA, ABORTED)],
  }),
  pair(101, 'base-written-while-on', {
    scenario: 'STRTAB_BASE is written while SMMUEN is 1: the write is ignored, and the old stream table stays', clause: '§6.3.24', rule: 'isolation',
    before: [domain(), write(OTHER_STREAMS + 64, ste({ config: ABORT }))],
    right: [disable(), register(REG.STRTAB_BASE, OTHER_STREAMS)], wrong: [register(REG.STRTAB_BASE, OTHER_STREAMS), disable()],
    after: [cfgiAll(), sync(), enable(), claim('isolation', IOVA, ABORTED)],
  }),
];
