import { expect, test } from 'vitest';
import type { Feedback } from '../api/types';
import { countsWords, likeWords, prevents, verdictSentence } from './judged';

const AT = '2026-01-31T09:30:00Z';
const UNTIL = '2026-03-02T09:30:00Z';

function feedback(changes: Partial<Feedback>): Feedback {
  return {
    incident: '0'.repeat(32),
    detector: 'upload_size',
    template: 'notebook',
    destination: 'example.net',
    place: null,
    judged: { value: 2_097_152, unit: 'bytes' },
    p: 1e-6,
    at: AT,
    expires_at: UNTIL,
    ...changes,
  };
}

test('a verdict says what it is and whose', () => {
  expect(verdictSentence({ verdict: 'false_positive', by: 'ana', at: AT, note: null })).toBe('False positive (benign), judged by ana');
  expect(verdictSentence({ verdict: 'true_positive', by: 'bo', at: AT, note: 'a leak' })).toBe('True positive, judged by bo');
});

test('what counts as the like is said with the value up to which it does', () => {
  expect(likeWords(feedback({}))).toBe('Upload size below 4 MiB');
  expect(likeWords(feedback({ detector: 'rate_burst', judged: { value: 40, unit: 'contacts in 10 s' } }))).toBe('Rate burst below 80 contacts in 10 s');
  expect(likeWords(feedback({ detector: 'new_destination' }))).toBe('New destination');
  expect(likeWords(feedback({ detector: 'foreign_tenant', place: 'github.com/acme' }))).toBe('Foreign tenant at github.com/acme');
});

test('a slow drip is told in bytes, whatever age it was judged at', () => {
  expect(likeWords(feedback({ detector: 'slow_drip', judged: { value: 1024, unit: 'bytes in 60 min' } }))).toBe('Slow drip below 2 KiB');
});

test('what it would have prevented is said before it is saved', () => {
  const preview = { feedback: [], days: 30, newest: [] };
  expect(prevents({ ...preview, would_prevent: 1, would_hide: 0 })).toBe(
    'It would have prevented 1 other incident of the last 30 days. Nothing else that is open is hidden by it.',
  );
  expect(prevents({ ...preview, would_prevent: 12, would_hide: 3 })).toBe(
    'It would have prevented 12 other incidents of the last 30 days. 3 open incidents will be hidden.',
  );
});

test('a finding says what a verdict made of it', () => {
  expect(countsWords({ p: 1e-9, sessions: 50, judged_at: AT, expires_at: UNTIL })).toMatch(
    /^Judged benign on 2026-01-31: counts as 50 sessions that did so until 2026-03-02\. Without that p is /,
  );
});
