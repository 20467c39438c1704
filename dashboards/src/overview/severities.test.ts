import { expect, test } from 'vitest';
import { countSeverities } from './severities';

const rows = (...severities: ('critical' | 'high' | 'medium' | 'low')[]) => severities.map((severity) => ({ severity }));
const shown = (page: Parameters<typeof countSeverities>[0]) => countSeverities(page).map((one) => one.shown);

test('a whole page gives exact counts', () => {
  expect(shown({ items: rows('critical', 'high', 'high', 'low'), next: null })).toEqual(['1', '2', '0', '1']);
});

test('a cut page does not claim to know what lies behind the cut', () => {
  expect(shown({ items: rows('critical', 'high', 'high'), next: 'more' })).toEqual(['1', '2+', '?', '?']);
});
