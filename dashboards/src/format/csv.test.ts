import { expect, test } from 'vitest';
import { csvLine, csvTable } from './csv';

test('cells that a spreadsheet would run are made inert', () => {
  for (const start of ['=', '+', '-', '@', '\t', '\r', '\uFF1D']) {
    expect(csvLine([`${start}cmd|' /C calc'!A0`])).toBe(`"'${start}cmd|' /C calc'!A0"`);
  }
});

test('numbers stay numbers, also negative ones', () => {
  expect(csvLine([-3, 1.5, true, null, undefined])).toBe('-3,1.5,true,,');
});

test('quotes, commas and line breaks are quoted', () => {
  expect(csvLine(['a"b', 'c,d', 'e\nf', 'plain'])).toBe('"a""b","c,d","e\nf",plain');
});

test('a table begins with its header and ends each line with CR LF', () => {
  expect(csvTable(['a', 'b'], [[1, 'x']])).toBe('a,b\r\n1,x\r\n');
});
