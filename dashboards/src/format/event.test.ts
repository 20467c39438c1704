import { expect, test } from 'vitest';
import type { Fact } from '../api/types';
import { blockedBy, factWords, hasVolume, kindOf } from './event';

const flow = { flow: { flow: 7, number: 0, from: '2026-01-31T09:30:00Z', transport: 'tcp', phase: 'input_ended' } } satisfies Fact;

test('each kind of fact is told in one line', () => {
  expect(factWords(flow)).toBe('TCP flow, first interval, input ended');
  const dns = { name: 'x.example', query_type: 16, over_tcp: false, resolution: null };
  expect(factWords({ dns })).toBe('TXT x.example: no answer seen');
  const resolution = { code: 3, addresses: [], aliases: [], services: [], answer_bytes: 90 };
  expect(factWords({ dns: { ...dns, query_type: 4711, resolution } })).toBe('type 4711 x.example: no such name');
  const hello = { sni: null, alpn: 'h2', ja4: 't13d', version: 0x0304, carrier: 'tcp' as const, ech: false };
  expect(factWords({ tls: hello })).toBe('TLS 1.3 hello to no name, ALPN h2, JA4 t13d');
  expect(factWords({ tls: { ...hello, carrier: 'quic' } })).toBe('TLS 1.3 hello in QUIC to no name, ALPN h2, JA4 t13d');
  expect(factWords({ gap: { reason: 'queue_full', count: 2, from: '2026-01-31T09:30:00Z' } })).toMatch(/^2 events/);
});

test('what is part of a flow has no volume of its own', () => {
  const dns = { name: 'x.example', query_type: 16, over_tcp: false, resolution: null };
  expect([hasVolume(flow), hasVolume({ dns })]).toEqual([true, false]);
});

test('a flow names the protocol that is spoken in it', () => {
  expect(factWords({ flow: { ...flow.flow, protocol: 'wire_guard' } })).toBe('TCP flow, WireGuard, first interval, input ended');
});

test('an answer tells its aliases in order, its addresses and the services it offers', () => {
  const service = { target: null, alpn: ['h3', 'h2'], port: 8443, ech: true };
  const resolution = { code: 0, addresses: ['192.0.2.1'], aliases: ['a.example', 'b.example'], services: [service], answer_bytes: 90 };
  const dns = { name: 'x.example', query_type: 65, over_tcp: false, resolution };
  expect(factWords({ dns })).toBe(
    'HTTPS x.example: a.example, b.example, 192.0.2.1, service at the name itself port 8443 h3/h2 with a key for encrypted hellos (90 bytes)',
  );
});

test('a certificate tells who issued it and for whom it is not', () => {
  const certificate = {
    subject: 'CN=a.example', issuer: 'CN=a.example', names: [], not_before: '2026-01-01T00:00:00Z', not_after: '2027-01-01T00:00:00Z',
    key: 'ec 256', chain: 1, self_signed: true, name_matches: false, sni: 'b.example',
  };
  expect(factWords({ certificate })).toBe(
    'CN=a.example, issued by itself, valid from 2026-01-01 to 2027-01-01, ec 256, chain of 1, not for b.example',
  );
});

test('a contradiction tells what each observer says', () => {
  const contradiction = { about: 'proxy_saw_less' as const, one: 'eth0', one_says: '5 MB', other: 'squid', other_says: '5 kB' };
  expect(factWords({ contradiction })).toBe('The proxy logged less than the wire carried: eth0 says 5 MB, squid says 5 kB');
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
