/**
 * GlobalErrors: GERROR and GERRORN (IHI 0070 §6.3.19, §6.3.20, §7.5). An error is active while its bits in the two
 * registers differ. The SMMU toggles a bit of GERROR only when that error is inactive; software acknowledges by making
 * GERRORN equal. Software that toggles the bit of an inactive error activates it, as §6.3.20 permits.
 */

/** CMDQ_ERR, EVENTQ_ABT_ERR, PRIQ_ABT_ERR, the four MSI_*_ABT_ERR, SFM_ERR, CMDQP_ERR, DPT_ERR; bit 1 is reserved. */
const IMPLEMENTED = 0x7fd;

export class GlobalErrors {
  #raised = 0;
  #acknowledged = 0;

  /** GERROR. */
  get raised(): number { return this.#raised; }
  /** GERRORN. */
  get acknowledged(): number { return this.#acknowledged; }

  /** Is the error of this one bit active? */
  active(bit: number): boolean {
    return ((this.#raised ^ this.#acknowledged) & bit) !== 0;
  }

  raise(bit: number): void {
    if (!this.active(bit)) this.#raised ^= bit;
  }

  /** A write of GERRORN. */
  acknowledge(value: number): void {
    this.#acknowledged = value & IMPLEMENTED;
  }
}
