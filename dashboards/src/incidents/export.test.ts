import { expect, test } from 'vitest';
import { collect, render } from './export';
import { sampleRow } from './sample';

const rows = (n: number) => Array.from({ length: n }, (_, at) => sampleRow({ id: String(at).padStart(32, '0') }));

test('all pages are fetched, in their order', async () => {
  const pages: Record<string, { items: ReturnType<typeof rows>; next: string | null }> = {
    first: { items: rows(2), next: 'second' },
    second: { items: rows(1), next: null },
  };
  const seen: number[] = [];
  const { rows: all, cut } = await collect((after) => Promise.resolve(pages[after ?? 'first']!), (n) => seen.push(n));
  expect(all).toHaveLength(3);
  expect(cut).toBe(false);
  expect(seen).toEqual([2, 3]);
});

test('an endless list is cut and said to be', async () => {
  const { rows: all, cut } = await collect(() => Promise.resolve({ items: rows(3), next: 'more' }), () => {}, 5);
  expect(all).toHaveLength(5);
  expect(cut).toBe(true);
});

test('hostile titles cannot become formulas, and every row is one line', () => {
  const text = render([sampleRow({ title: '=HYPERLINK("http://evil")' })], 'csv');
  const [header, line, end] = text.split('\r\n');
  expect(header).toMatch(/^id,status,severity,/);
  expect(line).toContain(`"'=HYPERLINK(""http://evil"")"`);
  expect(end).toBe('');
});

test('NDJSON holds each incident whole on its line', () => {
  const lines = render(rows(2), 'ndjson').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(rows(2));
});
