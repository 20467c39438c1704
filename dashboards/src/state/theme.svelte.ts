/** Light or dark: the system's choice until the reader makes one, which is then kept. */

const KEY = 'egret-theme';

/** What the reader chose. */
export type Theme = 'system' | 'light' | 'dark';

class ThemeChoice {
  #theme = $state<Theme>(read());

  constructor() {
    this.#apply();
  }

  get current(): Theme {
    return this.#theme;
  }

  choose(theme: Theme): void {
    this.#theme = theme;
    try {
      if (theme === 'system') localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
    this.#apply();
  }

  #apply(): void {
    const { dataset } = document.documentElement;
    if (this.#theme === 'system') delete dataset.theme;
    else dataset.theme = this.#theme;
  }
}

function read(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system';
  }
}

/** The page's theme. */
export const theme = new ThemeChoice();
