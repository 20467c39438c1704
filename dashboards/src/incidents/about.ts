/** What an incident is about. Pure. */

import type { IncidentRow } from '../api/types';

/** Whether it is about Egret itself or one of its sources: no executor did anything. */
export function isAboutEgret({ explanation }: Pick<IncidentRow, 'explanation'>): boolean {
  const strongest = explanation.findings[0]?.detector;
  return strongest === 'blind' || strongest === 'health';
}
