/** The page's addresses. Pure: text in, text out. */

/** Where the reader is. */
export type Route =
  | { page: 'overview' }
  | { page: 'incidents' }
  | { page: 'incident'; id: string }
  | { page: 'destinations' }
  | { page: 'executors' }
  | { page: 'events' }
  | { page: 'suppressions' }
  | { page: 'unknown' };

const LISTS = ['incidents', 'destinations', 'executors', 'events', 'suppressions'] as const;

/** The route that a path names. */
export function parseRoute(path: string): Route {
  const [first, second, ...rest] = path.split('/').filter((part) => part !== '');
  if (first === undefined) return { page: 'overview' };
  if (rest.length > 0) return { page: 'unknown' };
  if (second !== undefined) {
    const isId = /^[0-9a-f]{32}$/i.test(second);
    return first === 'incidents' && isId ? { page: 'incident', id: second.toLowerCase() } : { page: 'unknown' };
  }
  const list = LISTS.find((name) => name === first);
  return list ? { page: list } : { page: 'unknown' };
}

/** Values for the query part of an address; empty ones are left out, lists are repeated. */
export type Params = Record<string, string | readonly string[] | null | undefined>;

/** The query part of an address with its question mark, or nothing. */
export function queryText(params: Params): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    const values = typeof value === 'string' ? [value] : (value ?? []);
    for (const one of values) if (one !== '') search.append(name, one);
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

/** A path with its query. */
export function href(path: string, params: Params = {}): string {
  return `${path}${queryText(params)}`;
}

/** `search` with some parameters replaced or (by `null`, `undefined` or empty) removed. */
export function withParams(search: URLSearchParams, changes: Params): Params {
  const all: Params = {};
  for (const name of new Set(search.keys())) all[name] = search.getAll(name);
  return { ...all, ...changes };
}

/** What a link's target on this page is, or nothing when the browser should follow it itself. */
export function innerTarget(link: { href: string; target: string; download: string }, origin: string): string | undefined {
  if (link.target !== '' || link.download !== '') return undefined;
  const url = new URL(link.href, origin);
  const isOurs = url.origin === origin && !url.pathname.startsWith('/v1/');
  return isOurs ? url.pathname + url.search + url.hash : undefined;
}
