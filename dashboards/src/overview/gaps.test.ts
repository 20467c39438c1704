import { expect, test } from 'vitest';
import type { Event, GapReason } from '../api/types';
import { strip } from './gaps';

const minute = (n: number) => new Date(n * 60_000).toISOString();

function gap(source: string, reason: GapReason, [from, until]: [number, number], count: number): Event {
  const fact = { gap: { reason, count, from: minute(from) } };
  return { source, at: minute(until), fact } as Event;
}

test('gaps stand where they were and times without sight count once', () => {
  const events = [
    gap('eth0', 'stopped', [10, 30], 1),
    gap('eth0', 'quiet', [20, 40], 1200),
    gap('eth0', 'kernel_drop', [50, 51], 7),
    gap('squid', 'quiet', [0, 100], 6000),
  ];
  const { marks, seen, missed } = strip(events, 'eth0', 0, 100 * 60_000);
  expect(marks.map(({ start, width, blind }) => [start, width.toFixed(2), blind])).toEqual([
    [0.1, '0.20', true], [0.2, '0.20', true], [0.5, '0.01', false],
  ]);
  expect(seen).toBeCloseTo(0.7);
  expect(missed[2]).toBe('7 packets dropped by the kernel before the capture read them');
});

test('a gap that began before the range is cut, and counts of one reason add up', () => {
  const events = [gap('eth0', 'stopped', [-50, 50], 1), gap('eth0', 'stopped', [90, 300], 1)];
  const { seen, missed } = strip(events, 'eth0', 0, 100 * 60_000);
  expect(seen).toBeCloseTo(0.4);
  expect(missed).toEqual(['2 pauses while the collector was not running']);
});

test('a source without gaps has seen all of the time', () => {
  expect(strip([], 'eth0', 0, 1)).toEqual({ marks: [], end: 1, seen: 1, missed: [] });
});

test('the line of a source that ended goes as far as it saw, within the range', () => {
  const ends = [25, -5, 400].map((at) => strip([], 'file', 0, 100 * 60_000, at * 60_000).end);
  expect(ends).toEqual([0.25, 0, 1]);
});
