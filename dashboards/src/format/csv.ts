/** Comma-separated values by RFC 4180 that no spreadsheet takes for formulas. */

/** What a cell may hold. */
export type Cell = string | number | boolean | null | undefined;

/** Characters that make spreadsheets read a cell as a formula (OWASP, "CSV Injection"). */
const FORMULA_START = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/** One line, without its end. */
export function csvLine(cells: readonly Cell[]): string {
  return cells.map(csvCell).join(',');
}

/** A table with its header, each line ended by CR LF. */
export function csvTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => `${csvLine(row)}\r\n`).join('');
}

function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'string') return String(cell);
  const inert = FORMULA_START.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(inert) || inert !== cell ? `"${inert.replaceAll('"', '""')}"` : inert;
}
