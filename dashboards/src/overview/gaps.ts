/** What each source could not see over a time range. Pure. */

import type { Event, GapReason } from '../api/types';
import { gapWords } from '../format/words';

/** Reasons for which nothing at all was seen. For others, a part was. */
const BLIND: ReadonlySet<GapReason> = new Set(['quiet', 'stopped']);

/** A gap on a line that goes from 0 to 1. */
export interface Mark {
  start: number;
  width: number;
  /** Whether nothing at all was seen. */
  blind: boolean;
  words: string;
}

/** A source's line over the range. */
export interface Strip {
  marks: Mark[];
  /** Where it ended, 0 to 1; 1 where it goes on. */
  end: number;
  /** The part of the range in which it saw something, or could have, 0 to 1. */
  seen: number;
  /** What was missed in all, by reason. */
  missed: string[];
}

/** The strip of one source, from gap events of the range (milliseconds). `ended`: when it did. */
export function strip(events: readonly Event[], source: string, from: number, until: number, ended?: number): Strip {
  const marks: Mark[] = [];
  const sums = new Map<GapReason, number>();
  const length = Math.max(until - from, 1);
  const place = (at: number) => Math.min(Math.max((at - from) / length, 0), 1);
  for (const { source: name, at, fact } of events) {
    if (name !== source || !('gap' in fact)) continue;
    const { reason, count, from: since } = fact.gap;
    const start = place(Date.parse(since));
    marks.push({ start, width: place(Date.parse(at)) - start, blind: BLIND.has(reason), words: gapWords(reason, count) });
    sums.set(reason, (sums.get(reason) ?? 0) + count);
  }
  const missed = [...sums].map(([reason, count]) => gapWords(reason, count));
  return { marks, end: ended === undefined ? 1 : place(ended), seen: 1 - covered(marks.filter(({ blind }) => blind)), missed };
}

/** How much of the line marks cover, overlaps counted once. */
function covered(marks: readonly Mark[]): number {
  let [sum, reached] = [0, 0];
  for (const { start, width } of marks.toSorted((a, b) => a.start - b.start)) {
    sum += Math.max(0, start + width - Math.max(start, reached));
    reached = Math.max(reached, start + width);
  }
  return sum;
}
