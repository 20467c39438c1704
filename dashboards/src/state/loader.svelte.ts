/** One thing that a view loads: waiting, there, or failed. */

import { isAborted, type Problem, problemOf } from '../api/problem';

/** Loads with a signal that tells when the result is no longer wanted. */
export type Load<T> = (signal: AbortSignal) => Promise<T>;

export class Loader<T> {
  /** The last good result; it stays while newer ones are waited for. */
  value = $state.raw<T | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  waiting = $state(true);
  #current: AbortController | undefined;
  #last: Load<T> | undefined;

  /** Starts loading and gives up what was under way. Returns how to give this up. */
  run(load: Load<T>): () => void {
    this.#current?.abort();
    const mine = new AbortController();
    this.#current = mine;
    this.#last = load;
    this.waiting = true;
    void this.#settle(load, mine);
    return () => mine.abort();
  }

  /** Loads the same again. */
  again(): void {
    if (this.#last) this.run(this.#last);
  }

  async #settle(load: Load<T>, mine: AbortController): Promise<void> {
    try {
      const value = await load(mine.signal);
      if (this.#current !== mine) return;
      this.value = value;
      this.problem = undefined;
    } catch (thrown) {
      if (this.#current !== mine || isAborted(thrown)) return;
      this.problem = problemOf(thrown);
    }
    this.waiting = false;
  }
}
