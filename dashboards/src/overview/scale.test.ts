import { expect, test } from 'vitest';
import { bars, countAxis, labelled, logBounds, logPosition } from './scale';

const point = (at: string, allowed: number) => ({ at, group: '', up_bytes: 10, down_bytes: 0, allowed, blocked: 1, missed: 0 });

test('a count axis ends at a round number with few whole marks', () => {
  expect(countAxis(0)).toEqual({ top: 1, marks: [0, 1] });
  expect(countAxis(3)).toEqual({ top: 3, marks: [0, 1, 2, 3] });
  expect(countAxis(87)).toEqual({ top: 100, marks: [0, 25, 50, 75, 100] });
  for (const largest of [1, 7, 9, 11, 99, 101, 1234, 5e7]) {
    const { top, marks } = countAxis(largest);
    expect(top).toBeGreaterThanOrEqual(largest);
    expect(marks.length).toBeLessThanOrEqual(6);
    expect(marks.every(Number.isInteger)).toBe(true);
  }
});

test('steps without traffic become empty bars', () => {
  const from = Date.parse('2026-01-31T09:00:30Z');
  const all = bars([point('2026-01-31T09:02:00Z', 5)], 60_000, from, from + 180_000);
  expect(all.map((bar) => bar.allowed)).toEqual([0, 0, 5, 0]);
});

test('points outside the bounds are left out', () => {
  const from = Date.parse('2026-01-31T09:00:00Z');
  const all = bars([point('2025-01-31T09:02:00Z', 5)], 60_000, from, from + 60_000);
  expect(all).toEqual([{ at: from, allowed: 0, blocked: 0, upBytes: 0, missed: 0 }]);
});

test('labels are spread evenly and are not too many', () => {
  expect(labelled(96, 6)).toEqual([0, 16, 32, 48, 64, 80]);
  expect(labelled(3, 6)).toEqual([0, 1, 2]);
});

test('a logarithmic axis holds all values between powers of ten', () => {
  expect(logBounds([0, 4, 3200])).toEqual({ from: 1, to: 10_000, marks: [1, 10, 100, 1000, 10_000] });
  expect(logBounds([0])).toEqual({ from: 1, to: 10, marks: [1, 10] });
  expect(logBounds([100])).toEqual({ from: 100, to: 1000, marks: [100, 1000] });
  expect(logBounds([1000, 1e6]).marks).toEqual([1e3, 1e4, 1e5, 1e6]);
  expect(logBounds([1024, 70_000], 4).marks).toEqual([1024, 4096, 16_384, 65_536, 262_144]);
  expect(logPosition(10, 1, 100)).toBeCloseTo(0.5);
  expect(logPosition(0, 1, 100)).toBe(0);
  expect(logPosition(1000, 1, 100)).toBe(1);
});
