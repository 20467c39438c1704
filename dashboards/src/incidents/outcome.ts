/** What became of an action on incidents, in words. Pure. */

import type { ActionKind, BulkOutcome } from '../api/types';
import { counted } from '../format/number';

export const DONE: Record<ActionKind, string> = {
  acknowledge: 'acknowledged',
  close: 'closed',
  reopen: 'reopened',
  comment: 'commented on',
};

/** `3 incidents closed; 1 already so; 1 not there any more`. */
export function outcomeWords(action: ActionKind, { changed, unchanged, refused, not_found }: BulkOutcome): string {
  const parts = [`${counted(changed.length, 'incident')} ${DONE[action]}`];
  if (unchanged.length > 0) parts.push(`${unchanged.length} already so`);
  if (refused.length > 0) parts.push(`${refused.length} refused: reopen what is closed first`);
  if (not_found.length > 0) parts.push(`${not_found.length} not there any more`);
  return parts.join('; ');
}
