/** How a source's account is read. Pure. */

import type { LedgerReading } from '../api/types';

/** Reasons that are a choice (not ours to report), not a loss of something wanted. */
const FILTERS: ReadonlySet<LedgerReading['lost'][number][0]> = new Set(['not_egress', 'not_ip', 'duplicate']);

/** Whether units left out for this reason were left out by choice. */
export function isFilter(reason: LedgerReading['lost'][number][0]): boolean {
  return FILTERS.has(reason);
}

/** Units received that appear nowhere else. Zero once a stage has stopped and balances. */
export function unaccounted(ledger: LedgerReading): number {
  return ledger.lost.reduce((rest, [, n]) => rest - n, ledger.received - ledger.passed);
}
