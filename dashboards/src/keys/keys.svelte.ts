/** The keys that work in the view shown. Views add theirs while they are mounted. */

import { untrack } from 'svelte';
import { type Bindings, Chord, isTyping } from './chord';

/** A key with what it does, for the help overlay. */
export interface KeyHelp {
  keys: string;
  does: string;
  run: () => void;
}

class Keys {
  #sets = $state.raw<readonly (readonly KeyHelp[])[]>([]);
  #chord = new Chord();

  /** Everything that works now, in the order in which it was added. */
  readonly shown: readonly KeyHelp[] = $derived(this.#sets.flat());

  readonly #bindings: Bindings = $derived(
    Object.fromEntries(this.shown.map((key): [string, () => void] => [key.keys, key.run])),
  );

  /** Adds keys. Returns how to take them away again: what an effect wants. */
  add(keys: readonly KeyHelp[]): () => void {
    // An effect that adds keys does not depend on which keys others have added.
    this.#sets = [...untrack(() => this.#sets), keys];
    return () => {
      this.#sets = this.#sets.filter((set) => set !== keys);
    };
  }

  /** Handles a press anywhere on the page. */
  handle(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.defaultPrevented || isTyping(event.target)) return;
    // Enter and space belong to the button or link that has the focus.
    const onControl = event.target instanceof HTMLElement && event.target.closest('a, button, summary') !== null;
    if (onControl && (event.key === 'Enter' || event.key === ' ')) return;
    const run = this.#chord.press({ key: event.key, at: event.timeStamp }, this.#bindings);
    if (!run) return;
    event.preventDefault();
    run();
  }
}

/** The page's keys. */
export const keys = new Keys();
