/**
 * Calls: the driver's functions whose calls and returns mean something to the judge. An attach names its domain first; identity, blocked and release domains
 * have no tables; a nested domain is the guest's, and its parent's tables are known by who stores to them.
 */
import type { Attaching } from './lives.js';
import type { Due } from './weakest.js';

/** Calls that change what a stream, or one PASID of it, leads to. */
const PASID_CALLS: ReadonlySet<string> = new Set(['arm_smmu_s1_set_dev_pasid', 'arm_smmu_sva_set_dev_pasid', 'arm_smmu_blocking_set_dev_pasid']);
/** Those whose first argument is a domain that the recording knows by its maps. */
export const NAMES_DOMAIN: ReadonlySet<string> = new Set(['arm_smmu_attach_dev', 'arm_smmu_s1_set_dev_pasid']);

export function attaches(f: string): boolean {
  return f.startsWith('arm_smmu_attach_dev') || f === 'arm_smmu_release_device' || PASID_CALLS.has(f);
}

/** `tracing`: the call of a PASID was put in, and its return with it. */
export function dueOf(a: Attaching, tracing: boolean): Due {
  const pasid = PASID_CALLS.has(a.f);
  const returned = !(tracing && pasid);
  switch (a.f) {
    case 'arm_smmu_attach_dev': case 'arm_smmu_s1_set_dev_pasid': return { wanted: 'translate', life: a.life, pasid, returned };
    case 'arm_smmu_attach_dev_identity': return { wanted: 'bypass', life: null, pasid, returned };
    case 'arm_smmu_attach_dev_blocked': case 'arm_smmu_blocking_set_dev_pasid': return { wanted: 'abort', life: null, pasid, returned };
    default: return { wanted: null, life: null, pasid, returned };
  }
}

/** Functions whose calls and returns mean something here, or are known to mean nothing. */
export const KNOWN_CALLS = new RegExp(`^(${[
  'iommu_map', 'iommu_unmap', 'iommu_unmap_fast', '__iommu_dma_unmap', 'arm_smmu_iotlb_sync', 'arm_smmu_flush_iotlb_all', 'fq_flush_iotlb', 'arm_smmu_attach_dev\\w*', 'arm_smmu_release_device',
  'arm_smmu_domain_free_paging', 'arm_smmu_domain_finalise_s1', 'arm_smmu_attach_prepare_invs', 'arm_smmu_install_old_domain_invs', 'arm_smmu_write_cd_entry', 'arm_smmu_install_ste_for_dev',
  'arm_smmu_probe_device', 'arm_smmu_tlb_inv_context', ...PASID_CALLS, 'arm_smmu_tlb_inv_walk', 'arm_smmu_domain_inv_range',
].join('|')})$`);
