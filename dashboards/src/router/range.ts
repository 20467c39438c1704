/** The time range of a view, as it stands in the address. Pure. */

/** Lengths to choose from, in milliseconds. */
const LENGTHS = { '1h': 3_600_000, '6h': 21_600_000, '24h': 86_400_000, '7d': 604_800_000 } as const;

/** A choice in the range menu. */
export type RangeName = keyof typeof LENGTHS | 'all' | 'custom';

/** Choices with their labels, in the order of the menu. */
export const RANGES: readonly { name: RangeName; label: string }[] = [
  { name: '1h', label: '1 h' },
  { name: '6h', label: '6 h' },
  { name: '24h', label: '24 h' },
  { name: '7d', label: '7 d' },
  { name: 'all', label: 'All' },
  { name: 'custom', label: 'Custom' },
];

/** A span of time; an absent bound is open. RFC 3339. */
export interface Span {
  since?: string | undefined;
  until?: string | undefined;
}

/** The choice that an address holds; `otherwise` when it holds none. */
export function rangeName(params: URLSearchParams, otherwise: RangeName): RangeName {
  if (params.has('since') || params.has('until')) return 'custom';
  const asked = params.get('range');
  return RANGES.find(({ name }) => name === asked)?.name ?? otherwise;
}

/** The span that an address holds, seen from `now` (milliseconds). */
export function rangeSpan(params: URLSearchParams, otherwise: RangeName, now: number): Span {
  const name = rangeName(params, otherwise);
  if (name === 'all') return {};
  if (name === 'custom') {
    return { since: moment(params.get('since')), until: moment(params.get('until')) };
  }
  return { since: new Date(now - LENGTHS[name]).toISOString() };
}

function moment(text: string | null): string | undefined {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** A step that gives a chart of at most `bars` bars, in whole minutes or hours. */
export function stepSeconds(spanMs: number, bars: number): number {
  const STEPS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
  const needed = spanMs / 1000 / bars;
  return STEPS.find((step) => step >= needed) ?? Math.ceil(needed / 86_400) * 86_400;
}
