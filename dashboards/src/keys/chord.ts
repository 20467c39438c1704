/** Key presses to commands: single keys (`j`) and sequences (`g i`). Pure but for the clock it is given. */

/** What a press of keys does. Keys are as in `KeyboardEvent.key`; a sequence is parted by spaces. */
export type Bindings = Readonly<Record<string, () => void>>;

/** A press, as far as it matters here. */
export interface Press {
  key: string;
  /** When, in milliseconds; only differences count. */
  at: number;
}

/** How long the first key of a sequence waits for the second, in milliseconds. */
const PATIENCE_MS = 1000;

/** Remembers the beginning of a sequence. */
export class Chord {
  #pending = '';
  #since = 0;

  /** The binding that this press completes, if one. */
  press({ key, at }: Press, bindings: Bindings): (() => void) | undefined {
    const begun = at - this.#since <= PATIENCE_MS ? this.#pending : '';
    this.#pending = '';
    const keys = begun === '' ? key : `${begun} ${key}`;
    if (bindings[keys]) return bindings[keys];
    if (Object.keys(bindings).some((binding) => binding.startsWith(`${keys} `))) {
      this.#pending = keys;
      this.#since = at;
      return undefined;
    }
    return begun === '' ? undefined : bindings[key];
  }
}

/** Whether keys pressed here are text for a field, or meant for an open dialog. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.closest('input:not([type=checkbox]), textarea, select, dialog') !== null;
}
