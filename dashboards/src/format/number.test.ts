import { expect, test } from 'vitest';
import { bytes, count, counted, decimal, exactBytes, exactQuantity, oneIn, percent, pValue, quantity } from './number';

test('sizes use binary units and at most three digits', () => {
  expect(bytes(0)).toBe('0 B');
  expect(bytes(999)).toBe('999 B');
  expect(bytes(1000)).toBe('0.98 KiB');
  expect(bytes(1024)).toBe('1 KiB');
  expect(bytes(1536)).toBe('1.5 KiB');
  expect(bytes(1_048_575)).toBe('1 MiB');
  expect(bytes(5 * 1024 ** 3)).toBe('5 GiB');
  expect(bytes(2 ** 63)).toBe('8 EiB');
  expect(exactBytes(1)).toBe('1 byte');
  expect(exactBytes(1_048_575)).toBe('1,048,575 bytes');
});

test('measured values carry their unit, and sizes are humanized', () => {
  expect(quantity(2048, 'bytes')).toBe('2 KiB');
  expect(quantity(12, 'contacts in 10 s')).toBe('12 contacts in 10 s');
  expect(quantity(0.00002, '')).toBe('2e-5');
  expect(exactQuantity(2048.5, 'bytes')).toBe('2,048.5 bytes');
});

test('counts agree with their noun', () => {
  expect(counted(1, 'contact')).toBe('1 contact');
  expect(counted(0, 'contact')).toBe('0 contacts');
  expect(counted(12345, 'entry', 'entries')).toBe('12,345 entries');
  expect(count(1e6)).toBe('1,000,000');
  expect(decimal(3.14159)).toBe('3.14');
});

test('a probability of zero is a floor, and a rule is a rule', () => {
  expect(pValue(0, 'extrapolated')).toBe('< 1e-300');
  expect(pValue(0, 'rule')).toBe('rule');
  expect(pValue(3.21e-7)).toBe('3.2e-7');
  expect(pValue(1e-7)).toBe('1e-7');
  expect(pValue(0.0123)).toBe('0.012');
});

test('probabilities in words round to two digits', () => {
  expect(oneIn(3.2e-5)).toBe('about 1 in 31,000');
  expect(oneIn(0)).toBe('less than 1 in a million million');
});

test('a small share is not rounded to nothing', () => {
  expect(percent(0)).toBe('0 %');
  expect(percent(0.004)).toBe('< 1 %');
  expect(percent(0.625)).toBe('63 %');
});
