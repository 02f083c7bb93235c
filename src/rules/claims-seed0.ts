/**
 * Claims of seed 0, "Organize the SMMUv3 invalidation flow so iommupt can use it": one description of an invalidation, and the commands that
 * are made of it.
 */
import { by, line, type Claim } from './claim.js';

const SINGLE_TEST = 'test/optimised/driver/planners/single-range.test.ts';
const PLAN_PROPERTY = 'properties/optimised/plan.test.ts';
const INVS_TEST = 'test/optimised/driver/invs.test.ts';
const INVS = 'src/optimised/driver/invs.ts';
const EXPANSION = 'properties/optimised/expansion.test.ts';
const COMPLETE = 'properties/optimised/complete-gather.test.ts';
const EXCLUSIVE = 'properties/optimised/exclusive.test.ts';
const GATHER_TEST = 'test/optimised/driver/gather.test.ts';
const INVALIDATE_TEST = 'test/optimised/driver/invalidate.test.ts';
const SUITE_TEST = 'test/compare/suite-seed0.test.ts';
const PAYLOAD = 'src/optimised/driver/planners/payload.ts';
const SINGLE_RANGE = 'src/optimised/driver/planners/single-range.ts';
const DOUBLE_TEST = 'test/optimised/driver/planners/double-range.test.ts';
const EXACT_TEST = 'test/optimised/driver/planners/exact-ranges.test.ts';
const DOUBLE_RANGE = 'src/optimised/driver/planners/double-range.ts';
const DOUBLE_RANGE_CONT = 'src/optimised/driver/planners/double-range-cont.ts';
const EXACT_RANGES = 'src/optimised/driver/planners/exact-ranges.ts';
const INVALIDATE = 'src/optimised/driver/invalidate.steps.ts';
const GATHER = 'src/optimised/driver/gather.steps.ts';
const IO_PGTABLE = 'src/optimised/tables/io-pgtable.steps.ts';
const TABLE_WALK = 'src/optimised/tables/walk.steps.ts';

export const SEED0: readonly Claim[] = [
  {
    id: 'S0-1', claim: 'one gather stands for any batch of changes: leaves and tables, of mixed levels',
    decidedBy: [
      by([COMPLETE, 'the description of a gather names every removed leaf and table, and no level more'], line(GATHER, 'if (disjoint(own.gather, first, end)) {', 'if (own.gather.pending) own.gather.leaves = 0; if (disjoint(own.gather, first, end)) {')),
    ],
  },
  {
    id: 'S0-2', claim: 'removed tables are in the gather’s free list until the flush that covers them',
    decidedBy: [
      by([GATHER_TEST, 'iommupt: a table is freed after the SYNC of the commands that cover it'], line(INVALIDATE, 'ctx.parts.describe(gather, ctx.description);', 'for (const slot of gather.freed.splice(0)) ctx.state.pages.release(slot); ctx.parts.describe(gather, ctx.description);'), ['mutant table-freed-before-sync', 'rule stale-walk']),
    ],
  },
  {
    id: 'S0-3', claim: 'a gather has two bitmaps: leaf levels that changed, levels that lost a table',
    decidedBy: [
      by([INVALIDATE_TEST, 'a removed table makes the command ask for tables too'], line(INVALIDATE, 'd.tables = gather.tables;', 'd.tables = 0;'), ['rule stale-walk']),
    ],
  },
  {
    id: 'S0-4', claim: 'each bitmap is the union of all that is in the gather',
    decidedBy: [
      by([INVALIDATE_TEST, 'leaves of two sizes lose the level hint'], line(GATHER, 'gather.leaves |= levelBit(level);', 'gather.leaves = levelBit(level);')),
      by([COMPLETE, 'the description of a gather names every removed leaf and table, and no level more'], line(GATHER, 'gather.tables |= levelBit(level);', 'gather.tables = levelBit(level);')),
    ],
  },
  {
    id: 'S0-5', claim: 'what io-pgtable invalidates is one bit of one bitmap, from its page size: true of leaves and of emptied tables; of populated ones it is not enough',
    decidedBy: [
      by([GATHER_TEST, 'io-pgtable: another page size flushes what was gathered, iommupt takes both together'], line(IO_PGTABLE, 'if (gather.pending && (gather.leaves !== bit || room.parts.disjoint(gather, first, end))) {', 'if (gather.pending && room.parts.disjoint(gather, first, end)) {'), ['mutant walk-level-from-size']),
      by([GATHER_TEST, 'io-pgtable: an emptied table is one table bit, and one command with and without range support'], line(TABLE_WALK, 'gather.tables |= levelBit(level);', 'gather.tables |= levelBit(level) | levelBit(level - 1);')),
    ],
  },
  {
    id: 'S0-6', claim: 'the core takes nothing but the description, whoever made it',
    decidedBy: [
      by([EXPANSION, 'whoever gathered it: equal descriptions, equal commands'], line(INVALIDATE, 'd.last = gather.last;', 'd.last = gather.last + (gather.style === \'io-pgtable\' ? 1 : 0);')),
    ],
  },
  {
    id: 'S0-7', claim: 'bitmaps of several bits are served although io-pgtable never makes them',
    decidedBy: [
      by([PLAN_PROPERTY, 'with range support: every named entry is reached'], line(PAYLOAD, 'if ((leaves & (leaves - 1)) !== 0) return 0;'), ['rule range-coverage', 'prove coverage/single-range']),
    ],
  },
  {
    id: 'S0-8', claim: 'one range command a gather is what is preferred',
    decidedBy: [
      by([PLAN_PROPERTY, 'with range support one command is enough, and reaches less than a sixteenth too far'], line(SINGLE_RANGE, 'return 1;', 'writeRange(out, 4, d.first, size, hintFor(d, f.ds)); return 2;'), ['rule command-bound', 'prove command-bound/single-range']),
    ],
  },
  {
    id: 'S0-9', claim: 'without range support 512 single commands at most, a tag',
    decidedBy: [
      by([PLAN_PROPERTY, 'without range support there are at most 512 commands, addresses ascending, inside of the range'], line(PAYLOAD, 'return n > PLAN_MAX ? WHOLE_TAG : writeSteps(d, step, n, out);', 'return writeSteps(d, step, n, out);'), ['rule command-bound', 'prove command-bound/single-range']),
    ],
  },
  {
    id: 'S0-10', claim: 'what neither can say is the whole tag',
    decidedBy: [
      by([SINGLE_TEST, '2^36 granules are the most that one command says'], line(SINGLE_RANGE, 'if (scaleOf(size) > scaleMax(f.ds)) return WHOLE_TAG;'), ['rule illegal-command']),
      by([SINGLE_TEST, 'without range support 512 pages are 512 commands, one more is the whole tag'], line(PAYLOAD, 'return n > PLAN_MAX ? WHOLE_TAG : writeSteps(d, step, n, out);', 'return writeSteps(d, step, n, out);')),
    ],
  },
  {
    id: 'S0-11', claim: 'leaves and tables go with the same commands: never a flush of tables and then one of everything',
    decidedBy: [
      by([EXPANSION, 'a range and a whole tag never go out together'], line(INVALIDATE, 'batch.count += count;', 'batch.count += count; put(ctx, OP.TLBI_NH_ASID, entry.id << 16);')),
    ],
  },
  {
    id: 'S0-12', claim: 'a removed table is no longer one command for every granule of its span',
    decidedBy: [
      by([SINGLE_TEST, 'without range support a removed table is one command for its span'], line(PAYLOAD, 'const step = levelFrames(d.tg, deepestDamage(d)); // neither leaves nor tables may slip between two', 'const step = levelFrames(d.tg, 3);')),
      by([SUITE_TEST, 'a table of 2 MB or 1 GB: one command, where there was one a page'], line(PAYLOAD, 'const step = levelFrames(d.tg, deepestDamage(d)); // neither leaves nor tables may slip between two', 'const step = levelFrames(d.tg, 3);')),
    ],
  },
  {
    id: 'S0-13', claim: 'a walk invalidation by range has the best TTL',
    decidedBy: [
      by([SINGLE_TEST, 'one range command for a table of 1 GB alone'], line(PAYLOAD, 'if (leaves === 0) return tables === 0 ? 0 : deepest(tables) + 1;', 'if (leaves === 0) return 0;')),
    ],
  },
  {
    id: 'S0-14', claim: 'a walk invalidation without range support is one command: true of an emptied table, not of one whose leaves were still there',
    decidedBy: [
      by([GATHER_TEST, 'io-pgtable: an emptied table is one table bit, and one command with and without range support'], line(PAYLOAD, 'return deepest(d.leaves | d.tables);', 'return d.leaves === 0 ? 3 : deepest(d.leaves | d.tables);'), ['mutant single-for-populated-table']),
    ],
  },
  {
    id: 'S0-15', claim: 'SVA describes leaves and tables together, as the callback of the mm means it',
    decidedBy: [
      by([GATHER_TEST, 'sva: one invalidation inside of the unmap, with the end exclusive; sync has nothing to do'], line(GATHER, 'gather.tables = (levelBit(ctx.state.startLevel) << 1) - 2;', 'gather.tables = 0;'), ['rule stale-walk']),
    ],
  },
  {
    id: 'S0-16', claim: 'SVA has the right TTL, and a better one where only 4K pages fit',
    decidedBy: [
      by([GATHER_TEST, 'sva: 2 MB that is not aligned: TTL 3'], line(GATHER, 'if (Math.ceil(first / span) * span + span <= end) gather.leaves |= levelBit(level);', 'gather.leaves |= levelBit(level);'), ['rule stale-translation']),
    ],
  },
  {
    id: 'S0-17', claim: 'the calculation for io-pgtable gave SVA no TTL: the new one does',
    decidedBy: [
      by([SUITE_TEST, 'SVA: one command that names level 3, where the old calculation gave no level'], line(EXACT_RANGES, 'if (d.tables !== 0 || (d.leaves & (d.leaves - 1)) !== 0) return 0;', 'if ((d.leaves & (d.leaves - 1)) !== 0) return 0;')),
    ],
  },
  {
    id: 'S0-18', claim: 'one range that covers a little more, in place of many that cover exactly',
    decidedBy: [
      by([SUITE_TEST, 'a range of odd length: one command, where the exact loop needs several'], line(SINGLE_RANGE, 'return 1;', 'writeRange(out, 4, d.first, size, hintFor(d, f.ds)); return 2;')),
    ],
  },
  {
    id: 'S0-19', claim: 'a range of the SMMU covers far less too much than a power of two',
    decidedBy: [
      by([SUITE_TEST, 'one range reaches less than a sixteenth too far, one aligned power of two has no such bound'], line(PAYLOAD, 'const scale = 32 - Math.clz32((n - 1) >>> 5);', 'const scale = 32 - Math.clz32((n - 1) >>> 4);'), ['rule over-invalidation', 'prove over-invalidation/single-range']),
    ],
  },
  { id: 'S0-20', claim: 'a structure describes one invalidation', documentation: 'a C structure: here src/stack/description.ts, whose effect the other rows decide' },
  {
    id: 'S0-21', claim: 'commands are computed once and used for every entry with its own opcode and tag',
    decidedBy: [
      by([INVALIDATE_TEST, 'a plan is made once for all SMMUs of one kind'], line(INVALIDATE, 'if (entryUsers(ctx, array, i) === 0) continue; // trash', 'if (entryUsers(ctx, array, i) === 0) continue; planFor(ctx, arrayKinds(ctx, array), d);')),
      by([INVALIDATE_TEST, 'all SMMUs of one kind get the same payload words; only the tag differs'], line(INVALIDATE, 'batch.words[at + 2] = words[from + 2] as number;', 'batch.words[at + 2] = ((words[from + 2] as number) ^ (entry.smmu << 12)) >>> 0;')),
    ],
  },
  {
    id: 'S0-22', claim: 'TTL and stride come from the bitmaps',
    decidedBy: [
      by([SINGLE_TEST, 'leaves 10 and tables 100 give the hint 2'], line(PAYLOAD, 'return tables !== 0 && deepest(tables) + 1 > level ? 0 : level;', 'return tables !== 0 ? 0 : level;')),
      by([SINGLE_TEST, 'without range support blocks are stepped over by their own size'], line(PAYLOAD, 'return deepest(d.leaves | d.tables);', 'return 3;')),
    ],
  },
  {
    id: 'S0-23', claim: 'the array knows whether its entries use ranges',
    decidedBy: [
      by([INVS_TEST, 'the array knows which kinds of SMMUs it has: those with ranges, with DS as well, and without'], line(INVS, 'this.#kinds |= 1 << (this.#ctx.state.smmus[key.smmu] as SmmuState).kind;', 'this.#kinds = 1 << (this.#ctx.state.smmus[key.smmu] as SmmuState).kind;')),
      by([INVALIDATE_TEST, 'nothing is planned for a kind that the array does not have'], line(INVALIDATE, 'if ((kinds & (1 << kind)) !== 0) p.count = ctx.parts.planner.plan(d, p.features, p.words);', 'p.count = ctx.parts.planner.plan(d, p.features, p.words);')),
    ],
  },
  { id: 'S0-24', claim: 'the page size is not in the entries of the array any more', documentation: 'a field that is gone: an entry here has SMMU, id and users (src/optimised/driver/invs.ts), and plans are made from the description alone (row S0-6)' },
  {
    id: 'S0-25', claim: 'with ranges an invalidation is quick: one command',
    decidedBy: [
      by([EXPANSION, 'an SMMU with ranges gets one command and its SYNC'], line(SINGLE_RANGE, 'return 1;', 'writeRange(out, 4, d.first, size, hintFor(d, f.ds)); return 2;'), ['rule command-bound']),
    ],
  },
  { id: 'S0-26', claim: 'the description is filled at the top of the call chain', documentation: 'where in a C call chain it is filled shows in no command: here every gather is described in one place, flushGather' },
  {
    id: 'S0-27', claim: 'with DS the SCALE goes up to 39: longer ranges in one command',
    decidedBy: [
      by([SINGLE_TEST, 'with DS 2^44 granules are the most'], line(PAYLOAD, 'return ds ? 39 : 31;', 'return 31;')),
    ],
  },
  {
    id: 'S0-28', claim: 'every entry that the gather describes is removed on every SMMU of the array',
    decidedBy: [
      by([PLAN_PROPERTY, 'with range support: every named entry is reached'], line(PAYLOAD, 'return (((n - 1) >>> scale) << 12) | (scale << 20);', 'return (((n >>> scale) - 1) << 12) | (scale << 20);'), ['rule range-coverage', 'rule stale-translation', 'prove coverage/single-range']),
      by([INVALIDATE_TEST, 'every SMMU of the array is told, each with a SYNC of its own, in its own way'], line(INVALIDATE, 'if (entryUsers(ctx, array, i) === 0) continue; // trash', 'if (i > 0 || entryUsers(ctx, array, i) === 0) continue;'), ['rule stale-translation']),
    ],
  },
  {
    id: 'S0-29', claim: 'no reserved encoding is ever issued',
    decidedBy: [
      by([PLAN_PROPERTY, 'with range support: every command is legal'], line(PAYLOAD, 'if (size === 0 && (low & 0x300) === 0) low &= 1;'), ['rule illegal-command', 'prove legality/single-range']),
    ],
  },
  {
    id: 'S0-30', claim: 'the array may be expanded into commands without a batch in between: the same commands in the same order',
    decidedBy: [
      by([EXPANSION, 'every queue gets what a direct expansion of the array gives, word by word'], line(INVALIDATE, 'batch.words[at + 2] = words[from + 2] as number;', 'batch.words[at + 2] = words[2] as number;')),
    ],
  },
  {
    id: 'S0-31', claim: 'commands are built as raw words, two of 64 bits each',
    decidedBy: [
      by([EXPANSION, 'commands are raw words: NUM, SCALE and opcode in the first, the tag above bit 48, the rest as planned'], line(INVALIDATE, 'batch.words[at] = (words[from] as number) | op;', 'batch.words[at] = op;')),
    ],
  },
  {
    id: 'S0-32', claim: 'the exact loop of many commands is kept for paravirtual SMMUs',
    decidedBy: [
      by([EXACT_TEST, 'with range support, 0x12345 pages: 3 commands'], line(EXACT_RANGES, 'const units = (left >>> scale) & 31;', 'const units = 1;'), ['prove coverage/exact-ranges']),
      by([EXACT_TEST, 'with range support, 33 pages that are not leaves: 1 command'], line(EXACT_RANGES, 'if (ttl === 0 && (n & 31) === 1) n += 1; // NUM = SCALE = TTL = 0 is reserved'), ['rule illegal-command']),
    ],
  },
  {
    id: 'S0-33', claim: 'two ranges: exact on both ends',
    decidedBy: [
      by([DOUBLE_TEST, '33 granules are NUM 15, SCALE 1 and from 32 on NUM 0, SCALE 0'], line(DOUBLE_RANGE, 'const trail = shortSizeFor(n - shortGranulesOf(first));', 'const trail = shortSizeFor(n - shortGranulesOf(first) + 1);'), ['rule command-bound', 'rule over-invalidation', 'prove over-invalidation/double-range']),
    ],
  },
  {
    id: 'S0-34', claim: 'with the contiguous erratum: three ranges at most, and every run whole in one of them',
    decidedBy: [
      by([DOUBLE_TEST, 'granule 2^12: the seam cuts the run of 64K at granules 32 to 47; the fixed form has it in one range'], line(DOUBLE_RANGE_CONT, 'if (run !== 0 && start >= 0 && run < n - start && run >= covered - start) { // see cutRun', 'if (n === 0 && start >= 0) {'), ['rule command-bound', 'prove contiguous/double-range-cont']),
      by([DOUBLE_TEST, 'where a longer second range would begin before the damage, a third has exactly the run'], line(DOUBLE_RANGE_CONT, 'if (farther <= n) {', 'if (farther > 0) {')),
    ],
  },
  {
    id: 'S0-35', claim: 'the description serves other hardware too, which removes only what lies whole in its range',
    decidedBy: [
      by([EXCLUSIVE, 'one range is enough for hardware that removes only what lies whole in a range'], line(SINGLE_RANGE, 'writeRange(out, 0, d.first, size, hintFor(d, f.ds));', 'writeRange(out, 0, d.first + (d.last > d.first ? 2 ** (d.tg - 12) : 0), size, hintFor(d, f.ds));')),
      by([COMPLETE, 'the description of a gather names every removed leaf and table, and no level more'], line(GATHER, 'gather.first = gather.pending ? Math.min(gather.first, first) : first;', 'gather.first = first;')),
    ],
  },
];
