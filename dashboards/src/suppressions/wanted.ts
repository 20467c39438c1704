/** What a suppression made from an incident says. Pure. */

import type { Detector, IncidentRow, NewSuppression, SuppressionPreview } from '../api/types';
import { counted } from '../format/number';

/** How long a suppression may last, in days. */
export const EXPIRY_DAYS = [7, 30, 90] as const;

const DAY_MS = 86_400_000;

/** What an incident can be suppressed by. */
export interface Parts {
  destination?: string | undefined;
  template?: string | undefined;
  tenant?: string | undefined;
  detector?: Detector | undefined;
}

/** The parts that this incident has. One about many destinations has none to name. */
export function parts(incident: IncidentRow): Parts {
  return {
    destination: incident.destination === '*' ? undefined : incident.destination,
    template: incident.origin.template ?? undefined,
    tenant: incident.origin.tenant ?? undefined,
    detector: incident.explanation.findings[0]?.detector,
  };
}

/** The chosen ones of them, without what is blank. */
export function chosenParts(values: Parts, chosen: Record<keyof Parts, boolean>): Parts {
  return {
    destination: (chosen.destination && values.destination?.trim()) || undefined,
    template: chosen.template ? values.template : undefined,
    tenant: chosen.tenant ? values.tenant : undefined,
    detector: chosen.detector ? values.detector : undefined,
  };
}

/** Whether nothing is asked for: the API refuses what would match everything. */
export function isEmpty(asked: Parts): boolean {
  return Object.values(asked).every((value) => value === undefined);
}

/** The request. */
export function request(asked: Parts, reason: string, { days, now }: { days: number; now: number }): NewSuppression {
  return { ...asked, reason: reason.trim(), expires_at: new Date(now + days * DAY_MS).toISOString() };
}

/** What saving does to the incidents that are there, in words. */
export function hides({ would_hide }: SuppressionPreview): string {
  return would_hide === 0 ? 'Nothing that is open is hidden by it.' : `${counted(would_hide, 'open incident')} will be hidden.`;
}
