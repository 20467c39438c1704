import { expect, test } from 'vitest';
import { href, innerTarget, parseRoute, queryText, withParams } from './route';

const ID = '0123456789abcdef0123456789abcdef';
const ORIGIN = 'http://localhost:8080';

test('each page has its path, with or without a trailing slash', () => {
  expect(parseRoute('/')).toEqual({ page: 'overview' });
  expect(parseRoute('/incidents')).toEqual({ page: 'incidents' });
  expect(parseRoute('/incidents/')).toEqual({ page: 'incidents' });
  expect(parseRoute(`/incidents/${ID.toUpperCase()}`)).toEqual({ page: 'incident', id: ID });
  expect(parseRoute('/suppressions')).toEqual({ page: 'suppressions' });
});

test('anything else is unknown', () => {
  for (const path of ['/nope', '/incidents/12', `/events/${ID}`, `/incidents/${ID}/x`]) {
    expect(parseRoute(path)).toEqual({ page: 'unknown' });
  }
});

test('hostile values survive the address unchanged', () => {
  const value = 'a&b=c#d?\u202E"<>';
  const text = href('/events', { destination: value });
  expect(new URL(text, ORIGIN).searchParams.get('destination')).toBe(value);
});

test('empty values are left out and lists repeat', () => {
  expect(queryText({ a: '', b: null, c: undefined, d: [] })).toBe('');
  expect(queryText({ status: ['open', 'closed'], q: 'x' })).toBe('?status=open&status=closed&q=x');
});

test('changing one parameter keeps the others, repeated ones too', () => {
  const search = new URLSearchParams('status=open&status=closed&q=x&after=z');
  expect(queryText(withParams(search, { after: null, q: 'y' }))).toBe('?status=open&status=closed&q=y');
});

test('links elsewhere, downloads and API addresses are left to the browser', () => {
  const link = (target: string) => ({ href: target, target: '', download: '' });
  expect(innerTarget(link(`${ORIGIN}/events?kind=dns`), ORIGIN)).toBe('/events?kind=dns');
  expect(innerTarget(link('https://attack.mitre.org/'), ORIGIN)).toBeUndefined();
  expect(innerTarget(link(`${ORIGIN}/v1/openapi.json`), ORIGIN)).toBeUndefined();
  expect(innerTarget({ ...link(`${ORIGIN}/events`), target: '_blank' }, ORIGIN)).toBeUndefined();
});
