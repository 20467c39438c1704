import { expect, test } from 'vitest';
import { belongs, isGrouped, readFilter, sortParams, statusParam, toQuery, toRollUpsQuery } from './filter';
import { sampleRow } from './sample';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const filter = (text: string) => readFilter(new URLSearchParams(text), NOW);

test('without filters the open incidents of all time are meant, last changed first', () => {
  expect(filter('')).toMatchObject({ status: ['open'], sort: 'updated_at', order: 'descending', with_suppressed: false });
  expect(filter('').since).toBeUndefined();
});

test('any status is asked for by name, and unknown values are left out', () => {
  expect(filter('status=any').status).toEqual([]);
  expect(filter('status=closed&status=open').status).toEqual(['open', 'closed']);
  expect(filter('min_severity=extreme&sort=colour').min_severity).toBeUndefined();
  expect(filter('sort=colour').sort).toBe('updated_at');
});

test('a choice of statuses survives the address', () => {
  for (const status of [[], ['open'], ['closed'], ['open', 'closed']] as const) {
    const params = new URLSearchParams((statusParam(status) ?? []).map((one) => ['status', one]));
    expect(readFilter(params, NOW).status).toEqual(status);
  }
});

test('a second press on a header turns the order and goes to the first page', () => {
  expect(sortParams(filter(''), 'severity')).toEqual({ sort: 'severity', order: null, after: null });
  expect(sortParams(filter('sort=severity'), 'severity')).toEqual({ sort: 'severity', order: 'ascending', after: null });
  expect(sortParams(filter('sort=severity&order=ascending'), 'severity').order).toBeNull();
});

test('a new incident belongs into a list only if it passes each of its filters', () => {
  const row = sampleRow();
  for (const fits of ['', 'min_severity=high', 'destination=example.net', 'destination=paste.example.net', 'tenant=acme&executor=job-1', 'search=PASTE', 'status=any']) {
    expect(belongs(filter(fits), row), fits).toBe(true);
  }
  for (const not of ['status=closed', 'min_severity=critical', 'destination=le.net', 'destination=evil.example.net', 'tenant=other', 'template=x', 'search=nothing']) {
    expect(belongs(filter(not), row), not).toBe(false);
  }
});

test('what is grouped by destination is asked for without an order, and the incidents of one roll-up by one of them', () => {
  expect(isGrouped(new URLSearchParams('group=destination'))).toBe(true);
  expect(isGrouped(new URLSearchParams('group=colour'))).toBe(false);
  const query = toRollUpsQuery(filter('group=destination&sort=severity&tenant=acme'));
  expect(query).toMatchObject({ tenant: 'acme', status: ['open'], limit: 50 });
  for (const not of ['sort', 'order', 'group', 'roll_up_of']) expect(query).not.toHaveProperty(not);
  const id = 'c'.repeat(32);
  expect(toQuery(filter(`roll_up_of=${id}`)).roll_up_of).toBe(id);
  expect(toQuery(filter('roll_up_of=none')).roll_up_of).toBeUndefined();
  expect(belongs(filter(`roll_up_of=${id}`), sampleRow())).toBe(false);
});

test('an incident that is suppressed or like a benign one belongs only where those are wanted', () => {
  for (const hidden of [{ suppressed_by: 'b'.repeat(32) }, { judged_like: 'b'.repeat(32) }]) {
    const row = sampleRow(hidden);
    expect(belongs(filter(''), row)).toBe(false);
    expect(belongs(filter('with_suppressed=true'), row)).toBe(true);
  }
});
