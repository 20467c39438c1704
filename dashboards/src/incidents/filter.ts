/** Which incidents are listed: between the address, the API's query, and the live stream. Pure. */

import type { IncidentRow, IncidentsQuery, IncidentSort, IncidentStatus, RollUpsQuery, Severity, SortOrder } from '../api/types';
import { rangeSpan, type Span } from '../router/range';

export const STATUSES: readonly IncidentStatus[] = ['open', 'acknowledged', 'closed'];
const SORTS: readonly IncidentSort[] = ['updated_at', 'opened_at', 'severity', 'up_bytes'];
const RANKS: Record<Severity, number> = { low: 0, medium: 1, high: 2, critical: 3 };

/** An incident's id. */
const ID = /^[0-9a-f]{32}$/;

/** Rows on one page. */
const PAGE_ROWS = 50;

/** What the address asks for. */
export interface Filter extends Span {
  /** Any of these; empty: all. */
  status: IncidentStatus[];
  min_severity?: Severity | undefined;
  destination?: string | undefined;
  executor?: string | undefined;
  tenant?: string | undefined;
  template?: string | undefined;
  search?: string | undefined;
  /** Those that are one roll-up with this incident. */
  roll_up_of?: string | undefined;
  with_suppressed: boolean;
  sort: IncidentSort;
  order: SortOrder;
  after?: string | undefined;
}

/** Reads the address. Without a word on status, open ones are meant; `status=any` means all. */
export function readFilter(params: URLSearchParams, now: number): Filter {
  const text = (name: string) => params.get(name)?.trim() || undefined;
  const severity = text('min_severity');
  const named = params.getAll('status');
  return {
    status: named.length === 0 ? ['open'] : STATUSES.filter((status) => named.includes(status)),
    min_severity: severity !== undefined && severity in RANKS ? (severity as Severity) : undefined,
    destination: text('destination'),
    executor: text('executor'),
    tenant: text('tenant'),
    template: text('template'),
    search: text('search'),
    roll_up_of: ID.test(text('roll_up_of') ?? '') ? text('roll_up_of') : undefined,
    with_suppressed: params.get('with_suppressed') === 'true',
    sort: SORTS.find((sort) => sort === params.get('sort')) ?? 'updated_at',
    order: params.get('order') === 'ascending' ? 'ascending' : 'descending',
    after: text('after'),
    ...rangeSpan(params, 'all', now),
  };
}

/** The API's query for one page. */
export function toQuery(filter: Filter, limit = PAGE_ROWS): IncidentsQuery {
  return { ...filter, limit };
}

/** The same for roll-ups, which have their own order. */
export function toRollUpsQuery(filter: Filter, limit = PAGE_ROWS): RollUpsQuery {
  const { sort: _sort, order: _order, roll_up_of: _of, ...asked } = filter;
  return { ...asked, limit };
}

/** Whether the address asks for incidents grouped by destination. */
export function isGrouped(params: URLSearchParams): boolean {
  return params.get('group') === 'destination';
}

/** How the address writes a choice of statuses; open alone is not written. */
export function statusParam(status: readonly IncidentStatus[]): string[] | null {
  if (status.length === 0) return ['any'];
  return status.length === 1 && status[0] === 'open' ? null : [...status];
}

/** The address's change when a column's header is pressed: descending first, then turned. */
export function sortParams(filter: Filter, sort: IncidentSort): { sort: string | null; order: string | null; after: null } {
  const turned = filter.sort === sort && filter.order === 'descending';
  return { sort: sort === 'updated_at' ? null : sort, order: turned ? 'ascending' : null, after: null };
}

/**
 * Whether an incident from the live stream belongs into the list, as far as the page can tell.
 * Time bounds are left out: what changes now is new.
 */
export function belongs(filter: Filter, row: IncidentRow): boolean {
  const same = (wanted: string | undefined, is: string | null | undefined) => wanted === undefined || wanted === is;
  return (
    // Which incidents are one story with another, the page cannot tell.
    filter.roll_up_of === undefined &&
    (filter.status.length === 0 || filter.status.includes(row.status)) &&
    (filter.min_severity === undefined || RANKS[row.severity] >= RANKS[filter.min_severity]) &&
    (filter.with_suppressed || !(row.suppressed_by || row.judged_like)) &&
    same(filter.executor, row.origin.executor) &&
    same(filter.tenant, row.origin.tenant) &&
    same(filter.template, row.origin.template) &&
    (filter.destination === undefined || isAtOrBelow(row, filter.destination)) &&
    (filter.search === undefined || holdsText(row, filter.search))
  );
}

function isAtOrBelow(row: IncidentRow, domain: string): boolean {
  return [row.destination, ...row.hosts].some((name) => name === domain || name.endsWith(`.${domain}`));
}

function holdsText(row: IncidentRow, text: string): boolean {
  const wanted = text.toLowerCase();
  const places = [row.title, row.destination, row.origin.executor, ...row.hosts];
  return places.some((place) => place.toLowerCase().includes(wanted));
}
