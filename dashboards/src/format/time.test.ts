import { expect, test } from 'vitest';
import { ago, axisTime, duration, fromInput, local, toInput, utc, utcPrecise } from './time';

test('times are shown in UTC, whatever the offset and the number of digits', () => {
  expect(utc('2026-01-31T10:30:00.123456789+01:00')).toBe('2026-01-31 09:30:00');
  expect(utcPrecise('2026-01-31T09:30:00.123456789Z')).toBe('2026-01-31 09:30:00.123');
});

test('what is not a time is shown as it came', () => {
  expect(utc('9223372036854775807 ns')).toBe('9223372036854775807 ns');
  expect(local('never')).toBe('never');
});

test('the title gives local time with its zone', () => {
  expect(local('2026-01-31T09:30:00Z', 'Asia/Tokyo')).toContain('18:30:00');
});

test('durations keep their two largest units', () => {
  expect(duration(0)).toBe('0 s');
  expect(duration(430)).toBe('0.4 s');
  expect(duration(59_700)).toBe('1 min');
  expect(duration(200_000)).toBe('3 min 20 s');
  expect(duration(5 * 3_600_000 + 120_000)).toBe('5 h 2 min');
  expect(duration(76 * 3_600_000)).toBe('3 d 4 h');
});

test('moments are told apart from now', () => {
  const now = Date.parse('2026-01-31T10:00:00Z');
  expect(ago('2026-01-31T09:59:00Z', now)).toBe('1 min ago');
  expect(ago('2026-01-31T12:00:00Z', now)).toBe('in 2 h');
  expect(ago('2026-01-31T10:00:00Z', now)).toBe('now');
});

test('time inputs are read and written as UTC', () => {
  expect(toInput('2026-01-31T09:30:59Z')).toBe('2026-01-31T09:30');
  expect(fromInput('2026-01-31T09:30')).toBe('2026-01-31T09:30:00.000Z');
  expect(fromInput('')).toBeUndefined();
});

test('a chart over many days says the day', () => {
  const at = Date.parse('2026-01-31T09:30:00Z');
  expect(axisTime(at, 3_600_000)).toBe('09:30');
  expect(axisTime(at, 7 * 86_400_000)).toBe('01-31 09:30');
});
