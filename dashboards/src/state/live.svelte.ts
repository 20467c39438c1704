/** The live stream of incident changes. One connection for the whole page. */

import type { ChangeKind, StreamedChange } from '../api/types';

/** Whether changes arrive. */
export type LiveState = 'connecting' | 'live' | 'lost';

/** The stream's events are named after the kind of change. */
const KINDS: Record<ChangeKind, true> = {
  opened: true,
  grew: true,
  obscured: true,
  ended: true,
  resumed: true,
  acknowledged: true,
  closed: true,
  reopened: true,
  commented: true,
};

/** How long to wait before a refused stream is asked for again, in milliseconds. */
const RETRY_MS = 10_000;

interface Listener {
  onChange: (change: StreamedChange) => void;
  onMissed: () => void;
}

class Live {
  state = $state<LiveState>('connecting');
  #listeners = new Set<Listener>();
  #source: EventSource | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #wasLost = false;

  /**
   * Connects. A broken connection is made again by the browser; a refused one is not, so that is
   * done here, after `onRefused` had a look at why. Returns how to stop.
   */
  start(onRefused: () => void): () => void {
    const again = () => {
      onRefused();
      this.#retry = setTimeout(() => this.#connect(again), RETRY_MS);
    };
    this.#connect(again);
    return () => {
      clearTimeout(this.#retry);
      this.#source?.close();
      this.state = 'connecting';
    };
  }

  /** Hears every change, and when some were not told. Returns how to stop. */
  listen(onChange: Listener['onChange'], onMissed: Listener['onMissed']): () => void {
    const listener = { onChange, onMissed };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #connect(onRefused: () => void): void {
    const source = new EventSource('/v1/stream');
    this.#source = source;
    source.onopen = () => {
      if (this.#wasLost) this.#missed();
      this.#wasLost = false;
      this.state = 'live';
    };
    source.onerror = () => {
      this.#wasLost = true;
      this.state = 'lost';
      if (source.readyState === EventSource.CLOSED) onRefused();
    };
    for (const kind of Object.keys(KINDS)) source.addEventListener(kind, (event) => this.#tell(event.data));
    source.addEventListener('lagged', () => this.#missed());
  }

  #tell(text: string): void {
    const change = JSON.parse(text) as StreamedChange;
    for (const { onChange } of this.#listeners) onChange(change);
  }

  #missed(): void {
    for (const { onMissed } of this.#listeners) onMissed();
  }
}

/** The page's live stream. */
export const live = new Live();
