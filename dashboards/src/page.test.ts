import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('.', import.meta.url).pathname;
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(svelte|ts|css)$/.test(name) && !/\.(test|d)\.ts$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));
const index = readFileSync(join(root, '../index.html'), 'utf8');

/** Files of the page in which the pattern occurs. */
function holding(pattern: RegExp): string[] {
  return sources.filter(({ text }) => pattern.test(text)).map(({ name }) => name);
}

test('the sources of the page are found at all', () => {
  expect(sources.length).toBeGreaterThan(40);
});

test('text never becomes markup: no {@html}, no innerHTML and its kin', () => {
  expect(holding(/@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment/)).toEqual([]);
});

test('no style attribute is written as markup, which the content security policy forbids', () => {
  expect(holding(/<[^>]*\sstyle=/)).toEqual([]);
  expect(index).not.toMatch(/\sstyle=|<style/);
});

test('no script stands in the page itself', () => {
  expect(index.match(/<script[^>]*>[^<]/g)).toBeNull();
  expect(index).not.toMatch(/\son\w+=/);
});

test('nothing is loaded from elsewhere; the one link outward is to ATT&CK', () => {
  const outward = sources.flatMap(({ text }) => text.match(/https?:\/\/[^'"`\s$]*/g) ?? []);
  expect(new Set(outward)).toEqual(new Set(['https://attack.mitre.org/techniques/']));
});
