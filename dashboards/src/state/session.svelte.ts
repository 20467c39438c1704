/** Who the reader is, and whether Egret wants a token first. */

import type { Me } from '../api/types';

class Session {
  me = $state.raw<Me | undefined>();
  /** A call was answered 401: the login page is shown in place of the view. */
  needsLogin = $state(false);

  /** Whether the reader may work on incidents. */
  get mayAct(): boolean {
    return this.me?.role === 'analyst' || this.me?.role === 'admin';
  }
}

/** The reader's session. */
export const session = new Session();
