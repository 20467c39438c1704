import { expect, test } from 'vitest';
import { sampleRow } from '../incidents/sample';
import { chosenParts, hides, isEmpty, parts, request } from './wanted';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const NOTHING = { destination: false, template: false, tenant: false, detector: false };

test('a suppression is filled in from its incident', () => {
  expect(parts(sampleRow())).toEqual({ destination: 'example.net', template: 'notebook', tenant: 'acme', detector: 'upload_size' });
});

test('an incident about many destinations names none', () => {
  expect(parts(sampleRow({ destination: '*' })).destination).toBeUndefined();
});

test('only what was chosen is asked for', () => {
  const asked = chosenParts(parts(sampleRow()), { ...NOTHING, destination: true, detector: true });
  expect(asked).toEqual({ destination: 'example.net', template: undefined, tenant: undefined, detector: 'upload_size' });
});

test('nothing chosen, or a blank destination alone, would match everything and is held back', () => {
  expect(isEmpty(chosenParts(parts(sampleRow()), NOTHING))).toBe(true);
  expect(isEmpty(chosenParts({ destination: '  ' }, { ...NOTHING, destination: true }))).toBe(true);
  expect(isEmpty(chosenParts(parts(sampleRow()), { ...NOTHING, tenant: true }))).toBe(false);
});

test('the request carries a trimmed reason and its day of expiry', () => {
  expect(request({ tenant: 'acme' }, ' known ', { days: 7, now: NOW })).toEqual({
    tenant: 'acme',
    reason: 'known',
    expires_at: '2026-02-07T12:00:00.000Z',
  });
});

test('what saving hides is said before it is saved', () => {
  const preview = { days: 30, would_match: 12, newest: [] };
  expect(hides({ ...preview, would_hide: 0 })).toBe('Nothing that is open is hidden by it.');
  expect(hides({ ...preview, would_hide: 1 })).toBe('1 open incident will be hidden.');
  expect(hides({ ...preview, would_hide: 3 })).toBe('3 open incidents will be hidden.');
});
