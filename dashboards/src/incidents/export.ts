/** The incidents of a filter as a file, fetched page by page. */

import type { IncidentRow } from '../api/types';
import { type Cell, csvTable } from '../format/csv';

/** How rows are written. */
export type Format = 'csv' | 'ndjson';

/** Rows fetched at once. */
export const EXPORT_PAGE_ROWS = 500;
/** Most rows of one file; a browser holds it in memory. */
export const EXPORT_MOST_ROWS = 50_000;

const COLUMNS: readonly (readonly [name: string, of: (row: IncidentRow) => Cell])[] = [
  ['id', (row) => row.id],
  ['status', (row) => row.status],
  ['severity', (row) => row.severity],
  ['score', (row) => row.score],
  ['stage', (row) => row.stage],
  ['title', (row) => row.title],
  ['executor', (row) => row.origin.executor],
  ['session', (row) => row.session],
  ['template', (row) => row.origin.template],
  ['tenant', (row) => row.origin.tenant],
  ['destination', (row) => row.destination],
  ['hosts', (row) => row.hosts.join(' ')],
  ['addresses', (row) => row.addresses.join(' ')],
  ['up_bytes', (row) => row.observed.up_bytes],
  ['down_bytes', (row) => row.observed.down_bytes],
  ['contacts_allowed', (row) => row.observed.contacts_allowed],
  ['contacts_blocked', (row) => row.observed.contacts_blocked],
  ['contacts_of_unknown_volume', (row) => row.observed.contacts_of_unknown_volume],
  ['p_combined', (row) => row.explanation.p_combined],
  ['detectors', (row) => row.explanation.findings.map((finding) => finding.detector).join(' ')],
  ['techniques', (row) => row.explanation.techniques.map((technique) => technique.id).join(' ')],
  ['opened_at', (row) => row.opened_at],
  ['updated_at', (row) => row.updated_at],
  ['summary', (row) => row.explanation.summary],
];

/** One page of the export. */
export interface ExportPage {
  items: readonly IncidentRow[];
  next?: string | null | undefined;
}

/** What was collected. `cut`: there was more than fits. */
export interface Collected {
  rows: IncidentRow[];
  cut: boolean;
}

/** Fetches pages until the last one or the limit. */
export async function collect(
  fetchPage: (after: string | undefined) => Promise<ExportPage>,
  onProgress: (rows: number) => void,
  mostRows = EXPORT_MOST_ROWS,
): Promise<Collected> {
  const rows: IncidentRow[] = [];
  let after: string | undefined;
  do {
    const page = await fetchPage(after);
    rows.push(...page.items);
    onProgress(rows.length);
    after = page.next ?? undefined;
  } while (after !== undefined && rows.length < mostRows);
  return { rows: rows.slice(0, mostRows), cut: after !== undefined || rows.length > mostRows };
}

/** The file's text. */
export function render(rows: readonly IncidentRow[], format: Format): string {
  if (format === 'ndjson') return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const header = COLUMNS.map(([name]) => name);
  return csvTable(header, rows.map((row) => COLUMNS.map(([, of]) => of(row))));
}
