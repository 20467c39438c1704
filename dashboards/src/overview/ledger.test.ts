import { expect, test } from 'vitest';
import { isFilter, unaccounted } from './ledger';

test('filtering is not losing', () => {
  expect(isFilter('not_egress')).toBe(true);
  expect(isFilter('malformed')).toBe(false);
});

test('an account balances, or says by how much it does not', () => {
  expect(unaccounted({ received: 10, passed: 7, lost: [['malformed', 2], ['not_ip', 1]] })).toBe(0);
  expect(unaccounted({ received: 10, passed: 7, lost: [] })).toBe(3);
});
