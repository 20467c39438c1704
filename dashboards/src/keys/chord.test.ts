import { expect, test, vi } from 'vitest';
import { Chord } from './chord';

test('a single key acts at once', () => {
  const j = vi.fn();
  expect(new Chord().press({ key: 'j', at: 0 }, { j })).toBe(j);
});

test('a sequence acts on its last key', () => {
  const chord = new Chord();
  const bindings = { 'g i': vi.fn(), i: vi.fn() };
  expect(chord.press({ key: 'g', at: 0 }, bindings)).toBeUndefined();
  expect(chord.press({ key: 'i', at: 400 }, bindings)).toBe(bindings['g i']);
  expect(chord.press({ key: 'i', at: 500 }, bindings)).toBe(bindings.i);
});

test('a sequence that takes too long is forgotten', () => {
  const chord = new Chord();
  const bindings = { 'g i': vi.fn() };
  chord.press({ key: 'g', at: 0 }, bindings);
  expect(chord.press({ key: 'i', at: 1500 }, bindings)).toBeUndefined();
});

test('a key that does not continue a sequence stands for itself', () => {
  const chord = new Chord();
  const bindings = { 'g i': vi.fn(), j: vi.fn() };
  chord.press({ key: 'g', at: 0 }, bindings);
  expect(chord.press({ key: 'j', at: 10 }, bindings)).toBe(bindings.j);
});
