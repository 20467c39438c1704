import { expect, test } from 'vitest';
import { pieces, visible } from './visible';

test('ordinary names, markup and other scripts are left as they are', () => {
  for (const name of ['api.example.org', '<script>alert(1)</script>', 'müller 東京 Ψ', '']) {
    expect(visible(name)).toBe(name);
    expect(pieces(name)).toEqual([{ text: name, unseen: false }]);
  }
});

test('bidirectional controls are named, not obeyed', () => {
  expect(visible('gpj.\u202Eexe')).toBe('gpj.‹U+202E›exe');
  const controls = '\u061C\u200E\u200F\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069';
  expect(pieces(controls).every((piece) => piece.unseen)).toBe(true);
});

test('zero-width characters, fillers, tags and odd spaces are named', () => {
  const hidden = ['\u200B', '\u200D', '\uFEFF', '\u00AD', '\u3164', '\u{E0041}', '\u00A0', '\u2028', '\u2800'];
  for (const char of hidden) expect(pieces(`a${char}b`)).toHaveLength(3);
});

test('control characters and lone surrogates are named', () => {
  expect(visible('a\u0000\u001B[31m\r\n')).toBe('a‹U+0000›‹U+001B›[31m‹U+000D›‹U+000A›');
  expect(visible('x\uD800y')).toBe('x‹U+D800›y');
});

test('the pieces in order make up the whole', () => {
  expect(pieces('a\u200Bb').map((piece) => piece.text)).toEqual(['a', 'U+200B', 'b']);
});
