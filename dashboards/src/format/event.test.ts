import { expect, test } from 'vitest';
import type { Fact } from '../api/types';
import { blockedBy, factWords, kindOf } from './event';

const flow: Fact = { flow: { flow: 7, number: 0, from: '2026-01-31T09:30:00Z', transport: 'tcp', phase: 'input_ended' } };

test('each kind of fact is told in one line', () => {
  expect(factWords(flow)).toBe('TCP flow, first interval, input ended');
  const dns = { name: 'x.example', query_type: 16, over_tcp: false, resolution: null };
  expect(factWords({ dns })).toBe('TXT x.example: no answer seen');
  const resolution = { code: 3, addresses: [], canonical: null, answer_bytes: 90 };
  expect(factWords({ dns: { ...dns, query_type: 4711, resolution } })).toBe('type 4711 x.example: no such name');
  expect(factWords({ tls: { sni: null, alpn: 'h2', ja4: 't13d', version: 0x0304 } })).toBe(
    'TLS 1.3 hello to no name, ALPN h2, JA4 t13d',
  );
  expect(factWords({ gap: { reason: 'queue_full', count: 2, from: '2026-01-31T09:30:00Z' } })).toMatch(/^2 events/);
});

test('a logged request tells what is known and leaves out what is not', () => {
  const bare = { seen_by: 'proxy' as const, method: 'CONNECT' };
  expect(factWords({ http: bare })).toBe('CONNECT');
  const full = { ...bare, method: 'POST', path: '/up', query_bytes: 12, status: 200, duration_ms: 1500, user_agent: 'curl/8' };
  expect(factWords({ http: full })).toBe('POST /up (query of 12 bytes), answered 200, took 1.5 s, agent curl/8');
});

test('kinds and verdicts are read from their JSON form', () => {
  expect(kindOf(flow)).toBe('flow');
  expect(blockedBy('allowed')).toBeUndefined();
  expect(blockedBy({ blocked: 'no_answer' })).toBe('no answer');
});
