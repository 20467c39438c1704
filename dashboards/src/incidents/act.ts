/** What a person does to incidents. */

import { api } from '../api/calls';
import { problemOf } from '../api/problem';
import type { ActionKind, IncidentVerdict } from '../api/types';
import { DONE, outcomeWords } from './outcome';
import { toasts } from '../state/toasts.svelte';

/** Acts on the incidents (one page at most) and says what became of it. Returns whether it worked. */
export async function act(ids: readonly string[], action: ActionKind, comment?: string, verdict?: IncidentVerdict): Promise<boolean> {
  try {
    const outcome = await api.act([...ids], action, comment || undefined, verdict);
    toasts.done(outcomeWords(action, outcome));
    return true;
  } catch (thrown) {
    toasts.failed(`Nothing was ${DONE[action]}. ${problemOf(thrown).sentence}`);
    return false;
  }
}
