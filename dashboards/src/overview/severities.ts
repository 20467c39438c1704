/** How many incidents there are of each severity, as far as one page tells. Pure. */

import type { IncidentRow, Page, Severity } from '../api/types';
import { count } from '../format/number';
import { SEVERITIES } from '../format/words';

/** A severity with how many: `3`, `3+` where the page ended in it, `?` where it ended before. */
export interface SeverityCount {
  severity: Severity;
  shown: string;
  isNone: boolean;
}

/** Counts a page that is sorted by severity, most urgent first. */
export function countSeverities(page: Page<Pick<IncidentRow, 'severity'>>): SeverityCount[] {
  const cutAt = page.next ? SEVERITIES.findIndex((severity) => severity === page.items.at(-1)?.severity) : SEVERITIES.length;
  return SEVERITIES.map((severity, at) => {
    const n = page.items.filter((row) => row.severity === severity).length;
    const shown = at > cutAt ? '?' : at === cutAt ? `${count(n)}+` : count(n);
    return { severity, shown, isNone: shown === '0' };
  });
}
