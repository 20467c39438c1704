/** What an event says, in one line. Its strings come from the wire: show them through Name. */

import type { Event, Fact } from '../api/types';
import { counted } from './number';
import { duration } from './time';
import { gapWords, spaced } from './words';

/** Kinds of fact, in the words of the API's `kind` filter. */
export const KINDS = ['flow', 'dns', 'tls', 'http', 'gap'] as const;

/** A kind of fact. */
export type Kind = (typeof KINDS)[number];

const QUERY_TYPES: Record<number, string> = {
  1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 10: 'NULL', 12: 'PTR', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 64: 'SVCB', 65: 'HTTPS', 255: 'ANY',
};
const RESPONSE_CODES: Record<number, string> = { 0: 'no error', 1: 'format error', 2: 'server failure', 3: 'no such name', 5: 'refused' };
const TLS_VERSIONS: Record<number, string> = { 0x0301: 'TLS 1.0', 0x0302: 'TLS 1.1', 0x0303: 'TLS 1.2', 0x0304: 'TLS 1.3' };
const BLOCK_WORDS = { proxy_denied: 'refused by the proxy', reset: 'reset', unreachable: 'unreachable', no_answer: 'no answer' } as const;

/** What kind of fact an event is. */
export function kindOf(fact: Fact): Kind {
  return KINDS.find((kind) => kind in fact) ?? 'gap';
}

/** How the attempt was stopped; nothing when it was let through. */
export function blockedBy(verdict: Event['verdict']): string | undefined {
  return typeof verdict === 'object' ? BLOCK_WORDS[verdict.blocked] : undefined;
}

/** The fact in one line. */
export function factWords(fact: Fact): string {
  if ('flow' in fact) return flowWords(fact.flow);
  if ('dns' in fact) return dnsWords(fact.dns);
  if ('tls' in fact) return tlsWords(fact.tls);
  if ('http' in fact) return httpWords(fact.http);
  return gapWords(fact.gap.reason, fact.gap.count);
}

type Part<K extends Kind> = Extract<Fact, Record<K, unknown>>[K];

function flowWords({ transport, number, phase }: Part<'flow'>): string {
  const protocol = typeof transport === 'object' ? `IP protocol ${transport.other}` : transport.toUpperCase();
  return `${protocol} flow, ${number === 0 ? 'first interval' : `interval ${number + 1}`}, ${spaced(phase)}`;
}

function dnsWords({ name, query_type, over_tcp, resolution }: Part<'dns'>): string {
  const asked = `${QUERY_TYPES[query_type] ?? `type ${query_type}`} ${name}${over_tcp ? ' over TCP' : ''}`;
  if (!resolution) return `${asked}: no answer seen`;
  if (resolution.code !== 0) return `${asked}: ${RESPONSE_CODES[resolution.code] ?? `code ${resolution.code}`}`;
  const given = [resolution.canonical ?? '', ...resolution.addresses].filter((part) => part !== '');
  return `${asked}: ${given.join(', ') || 'empty answer'} (${counted(resolution.answer_bytes, 'byte')})`;
}

function tlsWords({ sni, alpn, ja4, version }: Part<'tls'>): string {
  const parts = [`${TLS_VERSIONS[version] ?? 'TLS'} hello to ${sni ?? 'no name'}`, alpn && `ALPN ${alpn}`, `JA4 ${ja4}`];
  return parts.filter(Boolean).join(', ');
}

function httpWords(request: Part<'http'>): string {
  const target = `${request.path ?? ''}${request.query_bytes ? ` (query of ${counted(request.query_bytes, 'byte')})` : ''}`;
  const parts = [
    `${request.method} ${target}`.trim(),
    request.status && `answered ${request.status}`,
    request.duration_ms && `took ${duration(request.duration_ms)}`,
    request.user && `user ${request.user}`,
    request.sni && `inside the tunnel: ${request.sni}`,
    request.user_agent && `agent ${request.user_agent}`,
    request.seen_by === 'wire' && 'seen on the wire',
  ];
  return parts.filter(Boolean).join(', ');
}
