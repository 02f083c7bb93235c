/**
 * Claims of seed 1, "Share domain across SMMU/vSMMU instances": tags per SMMU and sharing of domains. Rows that later work decides are not built yet.
 */
import { by, line, type Claim } from './claim.js';

const TAGS_TEST = 'test/optimised/driver/tags.test.ts';
const TAGS = 'src/optimised/driver/tags.ts';
const ATTACH = 'src/optimised/driver/attach.steps.ts';
const ATTACH_TEST = 'test/optimised/driver/attach.test.ts';
const INVALIDATE_TEST = 'test/optimised/driver/invalidate.test.ts';
const INVALIDATE = 'src/optimised/driver/invalidate.steps.ts';

export const SEED1: readonly Claim[] = [
  { id: 'S1-1', claim: 'devices behind different SMMUs may be attached to one domain, stage 1 or a nesting parent', unbuilt: true },
  { id: 'S1-2', claim: 'a domain is shared only with an SMMU that its page table is compatible with', unbuilt: true },
  {
    id: 'S1-3', claim: 'a change of a shared table is invalidated on every SMMU in use',
    decidedBy: [
      by([INVALIDATE_TEST, 'every SMMU of the array is told, each with a SYNC of its own, in its own way'], line(INVALIDATE, 'if (entryUsers(ctx, array, i) === 0) continue; // trash', 'if (i > 0 || entryUsers(ctx, array, i) === 0) continue;'), ['rule stale-translation']),
    ],
  },
  { id: 'S1-4', claim: 'readers of the invalidation array take no lock', unbuilt: true },
  {
    id: 'S1-5', claim: 'the array has the new entry before STE or CD is written',
    decidedBy: [
      by([ATTACH_TEST, 'the array is published before the CD and STE, and left after them'], line(ATTACH, 'yield \'publish the new array\';', 'yield* install(ctx, a, steFor(ctx, a, target));\nyield \'publish the new array\';'), ['mutant publish-after-ste']),
    ],
  },
  { id: 'S1-6', claim: 'an entry of the array names the tag and the queue it is for', unbuilt: true },
  { id: 'S1-7', claim: 'tags of a whole domain would use up ids on SMMUs that the domain is not attached to', unbuilt: true },
  {
    id: 'S1-8', claim: 'tags are handed out per SMMU',
    decidedBy: [
      by([TAGS_TEST, 'each SMMU has ids of its own'], line(TAGS, 'ctx.cpu.store(space.cell + cell, (used | (1 << bit)) >>> 0, 0);', 'for (const each of ctx.state.smmus) ctx.cpu.store(each.asidCell + cell, (used | (1 << bit)) >>> 0, 0);')),
    ],
  },
  { id: 'S1-9', claim: 'a tag is allocated at attach: nobody needs it before CD or STE is written', unbuilt: true },
  {
    id: 'S1-10', claim: 'an attach takes the tag that the domain has on that SMMU already, with one user more',
    decidedBy: [
      by([TAGS_TEST, 'a domain keeps its id on an SMMU while a device there uses it'], line(TAGS, 'if (known !== undefined) return known;')),
    ],
  },
  {
    id: 'S1-11', claim: 'without one a new tag is allocated',
    decidedBy: [
      by([TAGS_TEST, 'the lowest free id comes next'], line(TAGS, 'const bit = 31 - Math.clz32(free & -free);', 'const bit = 31 - Math.clz32(free);')),
    ],
  },
  { id: 'S1-12', claim: 'CD and STE are written with the tag of the attach, not one of the domain', unbuilt: true },
  { id: 'S1-13', claim: 'no path uses an id of the whole domain any more', unbuilt: true },
  {
    id: 'S1-14', claim: 'a tag is freed exactly when its last user goes',
    decidedBy: [
      by([TAGS_TEST, 'a domain keeps its id on an SMMU while a device there uses it'], line(ATTACH, 'if (unref(ctx, array, keys) === 0) {', 'if (unref(ctx, array, keys) >= 0) {'), ['rule accounting']),
    ],
  },
  { id: 'S1-15', claim: 'a placeholder tag stands in the list until the real one is known (first version)', documentation: 'a state of the first version only: the model merges the tag itself and never holds a placeholder' },
  { id: 'S1-16', claim: 'unref takes no function to free with any more (first version)', documentation: 'a signature in C; that nothing is freed twice is asked by the rule accounting' },
  { id: 'S1-17', claim: 'the ASID goes to the CD builder together with the substream', documentation: 'a signature in C; that CD and array agree is row S3-19' },
  { id: 'S1-18', claim: 'sharing is allowed once the compatibility test is there', unbuilt: true },
  { id: 'S1-19', claim: 'each virtual SMMU on a shared nesting parent has a VMID of its own', unbuilt: true },
  { id: 'S1-20', claim: 'the older list with a lock is the slow alternative', documentation: 'a comparison of speed under contention of a kernel, which a model has no clock for' },
  { id: 'S1-21', claim: 'one id on two SMMUs is two tags', unbuilt: true },
  { id: 'S1-22', claim: 'detaching from one SMMU leaves the tags of the others alone', unbuilt: true },
];
