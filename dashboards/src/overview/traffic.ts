/** The sums over time of a span, also of one without bounds. */

import { api } from '../api/calls';
import type { Series } from '../api/types';
import { type Span, stepSeconds } from '../router/range';

/** A series with the bounds it covers and its sums. */
export interface Traffic {
  series: Series;
  from: number;
  until: number;
  totals: { upBytes: number; downBytes: number; allowed: number; blocked: number; missed: number };
}

/** Bars on a wide screen. */
const BARS = 96;
/** Before the first fact any source can hold: packet captures are younger than this. */
const EARLIEST_MS = Date.UTC(1990, 0, 1);
/** The largest number of steps that the API gives. */
const MOST_STEPS = 1000;

/** Loads the series; the extent of an unbounded span is found by looking from afar first. */
export async function loadTraffic(span: Span, now: number, signal: AbortSignal): Promise<Traffic> {
  let from = span.since === undefined ? EARLIEST_MS : Date.parse(span.since);
  let until = span.until === undefined ? now : Date.parse(span.until);
  if (span.since === undefined) ({ from, until } = await extent(from, until, signal));
  const series = await load(from, until, stepSeconds(until - from, BARS), signal);
  return { series, from, until, totals: sums(series) };
}

/** Where facts begin and end: twice, because from afar a step is weeks long. */
async function extent(from: number, until: number, signal: AbortSignal): Promise<{ from: number; until: number }> {
  for (let look = 0; look < 2; look++) {
    const series = await load(from, until, stepSeconds(until - from, MOST_STEPS / 2), signal);
    const [first, last] = [series.points[0], series.points.at(-1)];
    if (!first || !last) break;
    until = Math.min(until, Date.parse(last.at) + series.step_s * 1000);
    from = Math.max(from, Date.parse(first.at));
  }
  return { from, until };
}

function load(from: number, until: number, step_s: number, signal: AbortSignal): Promise<Series> {
  const since = new Date(from).toISOString();
  return api.series({ since, until: new Date(until).toISOString(), step_s }, signal);
}

function sums({ points }: Series): Traffic['totals'] {
  const totals = { upBytes: 0, downBytes: 0, allowed: 0, blocked: 0, missed: 0 };
  for (const point of points) {
    totals.upBytes += point.up_bytes;
    totals.downBytes += point.down_bytes;
    totals.allowed += point.allowed;
    totals.blocked += point.blocked;
    totals.missed += point.missed;
  }
  return totals;
}
