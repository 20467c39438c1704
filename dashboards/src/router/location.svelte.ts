/** The address bar as state: everything a view depends on is read from here. */

import { innerTarget, href, parseRoute, type Params, type Route, withParams } from './route';

/** Whether a change of address makes a new entry in the browser's history. */
export type Step = 'push' | 'replace';

class Location {
  #path = $state(window.location.pathname);
  #search = $state(window.location.search);

  readonly route: Route = $derived(parseRoute(this.#path));
  readonly params: URLSearchParams = $derived(new URLSearchParams(this.#search));

  /** Path and query of the view shown. */
  get here(): string {
    return this.#path + this.#search;
  }

  /** Whether some inner view came before this one. */
  get canGoBack(): boolean {
    return window.history.state?.inner === true;
  }

  /** Goes to a path (with query) on this page. */
  go(target: string, step: Step = 'push'): void {
    const inner = step === 'push' ? true : this.canGoBack;
    window.history[step === 'push' ? 'pushState' : 'replaceState']({ inner }, '', target);
    this.#read();
  }

  /** Changes parameters of the current view, keeping the others. */
  set(changes: Params, step: Step = 'push'): void {
    const target = this.with(changes);
    if (target !== this.here) this.go(target, step);
  }

  /** The address of the current view with some parameters changed. */
  with(changes: Params): string {
    return href(this.#path, withParams(this.params, changes));
  }

  /** A parameter's value, empty when it is absent. */
  get(name: string): string {
    return this.params.get(name) ?? '';
  }

  /** The time range of this view, to be carried along to another one. */
  get range(): Params {
    return { range: this.get('range'), since: this.get('since'), until: this.get('until') };
  }

  /** Goes back, or to `otherwise` when the reader came from elsewhere. */
  back(otherwise: string): void {
    if (this.canGoBack) window.history.back();
    else this.go(otherwise);
  }

  /** Follows the browser's buttons and clicks on inner links. Returns how to stop. */
  listen(): () => void {
    const onClick = (event: MouseEvent) => this.#followClick(event);
    const onPop = () => this.#read();
    document.addEventListener('click', onClick);
    window.addEventListener('popstate', onPop);
    return () => {
      document.removeEventListener('click', onClick);
      window.removeEventListener('popstate', onPop);
    };
  }

  #followClick(event: MouseEvent): void {
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!isPlain || event.defaultPrevented || !(event.target instanceof Element)) return;
    const link = event.target.closest('a');
    // Links within the page (skip link) are the browser's.
    if (!link || link.getAttribute('href')?.startsWith('#')) return;
    const target = innerTarget(link, window.location.origin);
    if (target === undefined) return;
    event.preventDefault();
    const isNewPage = new URL(target, window.location.origin).pathname !== this.#path;
    this.go(target);
    if (isNewPage) window.scrollTo(0, 0);
  }

  #read(): void {
    this.#path = window.location.pathname;
    this.#search = window.location.search;
  }
}

/** Where the reader is. */
export const location = new Location();
