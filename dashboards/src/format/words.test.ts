import { expect, test } from 'vitest';
import { gapWords, normalSource, stageSentence, techniqueUrl } from './words';

test('the stage says how much was learned and what follows from it', () => {
  expect(stageSentence('priors', 120)).toBe(
    'Fewer than 3,000 sessions learned (120 sessions); thresholds are strict shipped values.',
  );
  expect(stageSentence('priors', 4000)).toContain('not yet calibrated');
  expect(stageSentence('calibrated', 4120)).toContain('4,120 sessions seen here');
  expect(stageSentence('rules', 0)).toContain('nothing was learned');
});

test('gaps count in the unit of their reason', () => {
  expect(gapWords('log_lost', 4096)).toMatch(/^4,096 bytes of a log file/);
  expect(gapWords('kernel_drop', 1)).toMatch(/^1 packet dropped/);
});

test('only real technique ids become links', () => {
  expect(techniqueUrl('T1048')).toBe('https://attack.mitre.org/techniques/T1048/');
  expect(techniqueUrl('T1567.001')).toBe('https://attack.mitre.org/techniques/T1567/001/');
  expect(techniqueUrl('javascript:alert(1)')).toBeUndefined();
});

test('a normal without sessions is said to be a prior', () => {
  const normal = { level: 'prior' as const, name: '', sessions: 0, median: 1, p98: 2 };
  expect(normalSource(normal)).toEqual({ level: 'the shipped prior', name: '', sessions: 'nothing learned here yet' });
});
