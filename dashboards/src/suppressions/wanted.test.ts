import { expect, test } from 'vitest';
import { sampleRow } from '../incidents/sample';
import { parts, wanted } from './wanted';

const NOW = Date.parse('2026-01-31T12:00:00Z');

test('a suppression is filled in from its incident', () => {
  expect(parts(sampleRow())).toEqual({ destination: 'example.net', template: 'notebook', tenant: 'acme', detector: 'upload_size' });
});

test('an incident about many destinations names none', () => {
  expect(parts(sampleRow({ destination: '*' })).destination).toBeUndefined();
});

test('only what was chosen is sent, with its day of expiry', () => {
  const chosen = { destination: true, template: false, tenant: false, detector: true };
  expect(wanted(parts(sampleRow()), chosen, { reason: ' known ', days: 7, now: NOW })).toEqual({
    destination: 'example.net',
    template: undefined,
    tenant: undefined,
    detector: 'upload_size',
    reason: 'known',
    expires_at: '2026-02-07T12:00:00.000Z',
  });
});
