/** What can go wrong with a call, in the form of RFC 9457 (problem details). */

/** A call that failed. `status` is 0 when no answer came. */
export class Problem extends Error {
  readonly status: number;
  readonly detail: string;

  constructor(status: number, title: string, detail = '') {
    super(title);
    this.name = 'Problem';
    this.status = status;
    this.detail = detail;
  }

  /** Title and detail in one line. */
  get sentence(): string {
    return this.detail === '' ? this.message : `${this.message}: ${this.detail}`;
  }
}

/** The problem that an answer's body describes; anything else is told by its status. */
export function problemFrom(status: number, body: unknown): Problem {
  const { title, detail } = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const words = typeof title === 'string' && title !== '' ? title : `Egret answered ${status}`;
  return new Problem(status, words, typeof detail === 'string' ? detail : '');
}

/** The problem behind anything thrown. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new Problem(0, 'Egret cannot be reached', reason);
}

/** Whether a call was given up by the page itself. */
export function isAborted(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === 'AbortError';
}
