import { expect, test } from 'vitest';
import { isAborted, problemFrom, problemOf } from './problem';

test('a problem document gives its title and detail', () => {
  const problem = problemFrom(400, { type: 'about:blank', title: 'Bad cursor', detail: 'it is not ours' });
  expect(problem.sentence).toBe('Bad cursor: it is not ours');
  expect(problem.status).toBe(400);
});

test('an answer without one is told by its status', () => {
  expect(problemFrom(502, '<html>').sentence).toBe('Egret answered 502');
  expect(problemFrom(500, null).sentence).toBe('Egret answered 500');
  expect(problemFrom(500, { title: 7 }).sentence).toBe('Egret answered 500');
});

test('no answer at all is said to be so', () => {
  expect(problemOf(new TypeError('Failed to fetch'))).toMatchObject({ status: 0, detail: 'Failed to fetch' });
});

test('a call given up by the page is not a failure', () => {
  expect(isAborted(new DOMException('gone', 'AbortError'))).toBe(true);
  expect(isAborted(new TypeError('Failed to fetch'))).toBe(false);
});
