/** Short messages about what was just done, read out by screen readers. */

/** A message. */
export interface Toast {
  id: number;
  text: string;
  tone: 'done' | 'failed';
}

/** How long a message stays, in milliseconds; failures stay until they are dismissed. */
const STAY_MS = 6000;
/** Most messages on the screen. */
const MOST = 4;

class Toasts {
  #next = 0;
  shown = $state<Toast[]>([]);

  done(text: string): void {
    const id = this.#show(text, 'done');
    setTimeout(() => this.dismiss(id), STAY_MS);
  }

  failed(text: string): void {
    this.#show(text, 'failed');
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  #show(text: string, tone: Toast['tone']): number {
    const id = this.#next++;
    // The same again takes the place of the first, so that what fails repeatedly stays one message.
    const others = this.shown.filter((toast) => toast.text !== text);
    this.shown = [...others, { id, text, tone }].slice(-MOST);
    return id;
  }
}

/** The page's messages. */
export const toasts = new Toasts();
