import { expect, test } from 'vitest';
import { outcomeWords } from './outcome';

const NOTHING = { changed: [], unchanged: [], refused: [], not_found: [] };

test('what worked is said, and what did not is not kept back', () => {
  expect(outcomeWords('close', { ...NOTHING, changed: ['a'] })).toBe('1 incident closed');
  expect(outcomeWords('acknowledge', { changed: ['a', 'b'], unchanged: ['c'], refused: ['d'], not_found: ['e'] })).toBe(
    '2 incidents acknowledged; 1 already so; 1 refused: reopen what is closed first; 1 not there any more',
  );
});
