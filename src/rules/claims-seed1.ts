/**
 * Claims of seed 1, "Share domain across SMMU/vSMMU instances": tags per SMMU and sharing of domains.
 */
import { by, line, type Claim } from './claim.js';

const TAGS_TEST = 'test/optimised/driver/tags.test.ts';
const TAGS = 'src/optimised/driver/tags.ts';
const ATTACH = 'src/optimised/driver/attach.steps.ts';
const ATTACH_TEST = 'test/optimised/driver/attach.test.ts';
const INVALIDATE_TEST = 'test/optimised/driver/invalidate.test.ts';
const INVALIDATE = 'src/optimised/driver/invalidate.steps.ts';
const ISSUE_TEST = 'test/optimised/driver/issue-order.test.ts';
const SHARING_TEST = 'test/optimised/driver/sharing.test.ts';
const SYSTEM_TAGS_TEST = 'test/optimised/driver/system-tags.test.ts';
const SUBSTREAMS_TEST = 'test/optimised/driver/substreams.test.ts';
const INVS_TEST = 'test/optimised/driver/invs.test.ts';
const SHARING = 'src/optimised/driver/sharing.ts';
const KEYS = 'src/stack/invalidation-array.ts';

export const SEED1: readonly Claim[] = [
  {
    id: 'S1-1', claim: 'devices behind different SMMUs may be attached to one domain, stage 1 or a nesting parent',
    decidedBy: [
      by([ISSUE_TEST, 'stage 2 behind two SMMUs, with and without ranges: each its own VMID and its own form'], line(INVALIDATE, 'return entry.smmu !== next.smmu || ctx.parts.system.splits(entry, next);', 'return ctx.parts.system.splits(entry, next);'), ['mutant one-smmu-forgotten']),
    ],
  },
  {
    id: 'S1-2', claim: 'a domain is shared only with an SMMU that its page table is compatible with',
    decidedBy: [
      by([SHARING_TEST, 'output of 44 bits, SMMU of 42: output-size'], line(SHARING, 'if (d.outputBits > s.oas) return \'output-size\';'), ['rule api-result']),
    ],
  },
  {
    id: 'S1-3', claim: 'a change of a shared table is invalidated on every SMMU in use',
    decidedBy: [
      by([INVALIDATE_TEST, 'every SMMU of the array is told, each with a SYNC of its own, in its own way'], line(INVALIDATE, 'if (entryUsers(ctx, array, i) === 0) continue; // trash', 'if (i > 0 || entryUsers(ctx, array, i) === 0) continue;'), ['rule stale-translation']),
    ],
  },
  { id: 'S1-4', claim: 'readers of the invalidation array take no lock', documentation: 'readers here take no lock that could block them: they read the array between rcu.enter and rcu.exit; `check --scenario attach-unmap` interleaves one with an attach' },
  {
    id: 'S1-5', claim: 'the array has the new entry before STE or CD is written',
    decidedBy: [
      by([ATTACH_TEST, 'the array is published before the CD and STE, and left after them'], line(ATTACH, 'yield \'publish the new array\';', 'yield* install(ctx, a, steFor(ctx, a, target));\nyield \'publish the new array\';'), ['mutant publish-after-ste']),
    ],
  },
  {
    id: 'S1-6', claim: 'an entry of the array names the tag and the queue it is for',
    decidedBy: [
      by([ISSUE_TEST, 'stage 2 behind two SMMUs, with and without ranges: each its own VMID and its own form'], line(INVALIDATE, 'const tag = op === OP.TLBI_NH_VA ? entry.id << 16 : entry.id;', 'const tag = op === OP.TLBI_NH_VA ? 1 << 16 : 7;'), ['rule accounting']),
    ],
  },
  {
    id: 'S1-7', claim: 'tags of a whole domain would use up ids on SMMUs that the domain is not attached to',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'the cost of a shared domain: an id where it is attached, against one of everybody\'s'], line(TAGS, 'return { perSmmu, global: inUse * withStage2 };', 'return { perSmmu, global: inUse };')),
    ],
  },
  {
    id: 'S1-8', claim: 'tags are handed out per SMMU',
    decidedBy: [
      by([TAGS_TEST, 'each SMMU has ids of its own'], line(TAGS, 'ctx.cpu.store(space.cell + cell, (used | (1 << bit)) >>> 0, 0);', 'for (const each of ctx.state.smmus) ctx.cpu.store(each.asidCell + cell, (used | (1 << bit)) >>> 0, 0);')),
    ],
  },
  {
    id: 'S1-9', claim: 'a tag is allocated at attach: nobody needs it before CD or STE is written',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'no VMID left: refused, and nothing moved'], line(TAGS, 'if (id > space.max) return undefined;'), ['rule tag-lifetime']),
    ],
  },
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
  {
    id: 'S1-12', claim: 'CD and STE are written with the tag of the attach, not one of the domain',
    decidedBy: [
      by([ATTACH_TEST, 'attached to a domain: stage 1 for every stream, with the domain\'s tables and tag'], line(ATTACH, 'const cd = stage1Cd(RAM_BASE + own.rootSlot, own.inputBits, next.tag.id, own.outputBits);', 'const cd = stage1Cd(RAM_BASE + own.rootSlot, own.inputBits, next.domain + 9, own.outputBits);'), ['rule tag-lifetime']),
    ],
  },
  {
    id: 'S1-13', claim: 'no path uses an id of the whole domain any more',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'a domain behind two SMMUs has a VMID on each, the lowest that is free there; leaving one leaves the other alone'], line(TAGS, 'return allocate(ctx, smmu, tagTypeOf(ctx.state.domains[binding.domain] as DomainState, binding));', 'return { ...(allocate(ctx, smmu, tagTypeOf(ctx.state.domains[binding.domain] as DomainState, binding)) as Tag), id: binding.domain + 1 };'), ['rule tag-lifetime']),
    ],
  },
  {
    id: 'S1-14', claim: 'a tag is freed exactly when its last user goes',
    decidedBy: [
      by([TAGS_TEST, 'a domain keeps its id on an SMMU while a device there uses it'], line(ATTACH, 'if (unref(ctx, array, keys) === 0) {', 'if (unref(ctx, array, keys) >= 0) {'), ['rule accounting']),
    ],
  },
  { id: 'S1-15', claim: 'a placeholder tag stands in the list until the real one is known (first version)', documentation: 'a state of the first version only: the model merges the tag itself and never holds a placeholder' },
  { id: 'S1-16', claim: 'unref takes no function to free with any more (first version)', documentation: 'a signature in C; that nothing is freed twice is asked by the rule accounting' },
  { id: 'S1-17', claim: 'the ASID goes to the CD builder together with the substream', documentation: 'a signature in C; that CD and array agree is row S3-19' },
  {
    id: 'S1-18', claim: 'sharing is allowed once the compatibility test is there',
    decidedBy: [
      by([SUBSTREAMS_TEST, 'refused, and nothing changes: a stage-2 domain'], line(ATTACH, 'return mayAttach(ctx.state.domains[domain] as DomainState, (ctx.state.smmus[dev.smmu] as SmmuState).features, { use, canWriteBack: false }) === null;', 'return true;'), ['rule api-result']),
    ],
  },
  {
    id: 'S1-19', claim: 'each virtual SMMU on a shared nesting parent has a VMID of its own',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'the tag of a vSMMU is asked of the vSMMU: the array may have another one\'s first'], line(TAGS, 'const id = type === \'vsmmu-tag\' ? (ctx.state.vsmmus[binding.vsmmu] as VsmmuState).vmid : findTag(ctx, array, smmu, type);', 'const id = findTag(ctx, array, smmu, type);'), ['mutant vmid-of-another-vsmmu']),
    ],
  },
  { id: 'S1-20', claim: 'the older list with a lock is the slow alternative', documentation: 'a comparison of speed under contention of a kernel, which a model has no clock for' },
  {
    id: 'S1-21', claim: 'one id on two SMMUs is two tags',
    decidedBy: [
      by([INVS_TEST, 'the same id on another SMMU is another entry'], line(KEYS, 'return a.smmu - b.smmu || invRank(a.type) - invRank(b.type) || a.id - b.id || (isAts(a.type) ? a.ssid - b.ssid : 0);', 'return invRank(a.type) - invRank(b.type) || a.id - b.id || (isAts(a.type) ? a.ssid - b.ssid : 0);')),
    ],
  },
  {
    id: 'S1-22', claim: 'detaching from one SMMU leaves the tags of the others alone',
    decidedBy: [
      by([TAGS_TEST, 'an id is given back to its own SMMU'], line(TAGS, 'const cell = spaceOf(ctx.state.smmus[tag.smmu] as SmmuState, tag.type).cell + Math.floor(tag.id / 32);', 'const cell = spaceOf(ctx.state.smmus[0] as SmmuState, tag.type).cell + Math.floor(tag.id / 32);'), ['rule tag-lifetime']),
    ],
  },
];
