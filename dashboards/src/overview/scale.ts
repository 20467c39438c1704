/** Axes and bars of the traffic chart. Pure. */

import type { SeriesPoint } from '../api/types';

/** One bar: a step of time with its sums, or with nothing. */
export interface Bar {
  /** The step's start, in milliseconds. */
  at: number;
  allowed: number;
  blocked: number;
  upBytes: number;
  missed: number;
}

/** A scale's end and its marks, in round numbers. */
export interface Axis {
  top: number;
  marks: number[];
}

/** An axis from 0 to a round number at or above `largest`, with at most five marks above 0. */
export function countAxis(largest: number): Axis {
  const step = Math.max(1, roundUp(largest / 4));
  const top = Math.max(step, Math.ceil(largest / step) * step);
  const marks = Array.from({ length: Math.round(top / step) + 1 }, (_, n) => n * step);
  return { top, marks };
}

/** A bar for every step between the bounds: steps without traffic are left out by the API. */
export function bars(points: readonly SeriesPoint[], stepMs: number, from: number, until: number): Bar[] {
  const start = Math.floor(from / stepMs) * stepMs;
  const length = Math.min(MOST_BARS, Math.max(1, Math.ceil((until - start) / stepMs)));
  const out = Array.from({ length }, (_, n) => ({ at: start + n * stepMs, allowed: 0, blocked: 0, upBytes: 0, missed: 0 }));
  for (const point of points) {
    const bar = out[Math.floor((Date.parse(point.at) - start) / stepMs)];
    if (!bar) continue;
    bar.allowed += point.allowed;
    bar.blocked += point.blocked;
    bar.upBytes += point.up_bytes;
    bar.missed += point.missed;
  }
  return out;
}

/** Which bars get a label below: about `wanted`, evenly spread. */
export function labelled(length: number, wanted: number): number[] {
  const every = Math.max(1, Math.ceil(length / wanted));
  return Array.from({ length: Math.ceil(length / every) }, (_, n) => n * every);
}

/** A position between 0 and 1 on a logarithmic axis; what is below its start sits at 0. */
export function logPosition(value: number, from: number, to: number): number {
  if (value <= from || to <= from) return 0;
  return Math.min(1, Math.log(value / from) / Math.log(to / from));
}

/** Powers of `base` that hold all values, at least two. Zero counts as below the start. */
export function logBounds(values: readonly number[], base = 10): { from: number; to: number; marks: number[] } {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return { from: 1, to: base, marks: [1, base] };
  const power = (value: number) => Math.log(value) / Math.log(base);
  const first = Math.floor(power(Math.min(...positive)) + ROUNDING);
  const last = Math.max(first + 1, Math.ceil(power(Math.max(...positive)) - ROUNDING));
  const every = Math.ceil((last - first) / 5);
  const marks: number[] = [];
  for (let n = first; n <= last; n += every) marks.push(base ** n);
  return { from: base ** first, to: base ** last, marks };
}

/** Logarithms of exact powers are off by less than this. */
const ROUNDING = 1e-9;
/** The API gives at most so many steps. */
const MOST_BARS = 1000;

function roundUp(value: number): number {
  if (value <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 2.5, 5, 10].find((round) => round * power >= value) ?? 10;
  return digit === 2.5 && power < 10 ? 5 * power : digit * power;
}
