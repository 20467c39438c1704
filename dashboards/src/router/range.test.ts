import { expect, test } from 'vitest';
import { rangeName, rangeSpan, stepSeconds } from './range';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const of = (text: string) => new URLSearchParams(text);

test('a named range ends now and is open towards it', () => {
  expect(rangeSpan(of('range=6h'), '24h', NOW)).toEqual({ since: '2026-01-31T06:00:00.000Z' });
  expect(rangeSpan(of(''), '24h', NOW)).toEqual({ since: '2026-01-30T12:00:00.000Z' });
});

test('all of time has no bounds', () => {
  expect(rangeSpan(of('range=all'), '24h', NOW)).toEqual({});
});

test('explicit bounds win over a named range, and nonsense is no bound', () => {
  const params = of('range=1h&since=2026-01-01T00:00:00Z&until=soon');
  expect(rangeName(params, '24h')).toBe('custom');
  expect(rangeSpan(params, '24h', NOW)).toEqual({ since: '2026-01-01T00:00:00.000Z', until: undefined });
});

test('an unknown range falls back', () => {
  expect(rangeName(of('range=2y'), 'all')).toBe('all');
});

test('steps keep the number of bars in bounds', () => {
  expect(stepSeconds(3_600_000, 60)).toBe(60);
  expect(stepSeconds(86_400_000, 96)).toBe(900);
  expect(stepSeconds(400 * 86_400_000, 100)).toBe(4 * 86_400);
});
