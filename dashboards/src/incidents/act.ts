/** What a person does to incidents, with words for what became of it. */

import { api } from '../api/calls';
import { problemOf } from '../api/problem';
import type { ActionKind, BulkOutcome } from '../api/types';
import { counted } from '../format/number';
import { toasts } from '../state/toasts.svelte';

/** Most incidents of one request. */
const MOST_AT_ONCE = 500;

const DONE: Record<ActionKind, string> = {
  acknowledge: 'acknowledged',
  close: 'closed',
  reopen: 'reopened',
  comment: 'commented on',
};

/** Acts on the incidents and says so. Returns whether it worked. */
export async function act(ids: readonly string[], action: ActionKind, comment?: string): Promise<boolean> {
  try {
    const outcome = await api.act(ids.slice(0, MOST_AT_ONCE), action, comment || undefined);
    toasts.done(outcomeWords(action, outcome));
    return true;
  } catch (thrown) {
    toasts.failed(`Nothing was ${DONE[action]}. ${problemOf(thrown).sentence}`);
    return false;
  }
}

/** `3 incidents closed; 1 already was; 1 is not there any more`. */
export function outcomeWords(action: ActionKind, outcome: BulkOutcome): string {
  const parts = [`${counted(outcome.changed.length, 'incident')} ${DONE[action]}`];
  if (outcome.unchanged.length > 0) parts.push(`${outcome.unchanged.length} already so`);
  if (outcome.not_found.length > 0) parts.push(`${outcome.not_found.length} not there any more`);
  return parts.join('; ');
}
