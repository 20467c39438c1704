/** What a verdict is and does, in words. Pure. */

import type { Feedback, IncidentVerdict, JudgedBenign, VerdictPreview, VerdictRow } from '../api/types';
import { DETECTOR_NAMES } from '../format/words';
import { counted, pValue, quantity } from '../format/number';
import { day } from '../format/time';

/** What a verdict is called. */
export const VERDICT_WORDS: Record<IncidentVerdict, string> = {
  true_positive: 'true positive',
  false_positive: 'false positive (benign)',
};

/** `False positive (benign), by ana`. */
export function verdictSentence({ verdict, by }: VerdictRow): string {
  const words = VERDICT_WORDS[verdict];
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}, judged by ${by}`;
}

/** What is the like of a finding: below twice its value, where values can be compared. */
export function likeWords({ detector, judged, place }: Feedback): string {
  const name = DETECTOR_NAMES[detector];
  if (place) return `${name} at ${place}`;
  if (detector === 'new_destination' || detector === 'foreign_tenant') return name;
  const bytes = detector === 'upload_size' || detector === 'slow_drip';
  return `${name} below ${quantity(2 * judged.value, bytes ? 'bytes' : judged.unit)}`;
}

/** What saving does to the incidents that are there. */
export function prevents({ would_prevent, would_hide, days }: VerdictPreview): string {
  const past = `It would have prevented ${counted(would_prevent, 'other incident')} of the last ${days} days.`;
  const open = would_hide === 0 ? 'Nothing else that is open is hidden by it.' : `${counted(would_hide, 'open incident')} will be hidden.`;
  return `${past} ${open}`;
}

/** What a verdict does to a finding. */
export function countsWords({ p, sessions, judged_at, expires_at }: JudgedBenign): string {
  return `Judged benign on ${day(judged_at)}: counts as ${counted(sessions, 'session')} that did so until ${day(expires_at)}. Without that p is ${pValue(p)}.`;
}
