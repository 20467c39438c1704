/** What an event says, in one line. Its strings come from the wire: show them through Name. */

import type { Event, Fact, Protocol, ServiceBinding } from '../api/types';
import { counted } from './number';
import { duration } from './time';
import { gapWords, spaced } from './words';

/** Kinds of fact, in the words of the API's `kind` filter. */
export const KINDS = ['flow', 'dns', 'tls', 'http', 'certificate', 'contradiction', 'gap'] as const;

/** A kind of fact. */
export type Kind = (typeof KINDS)[number];

/** What each kind is called. */
export const KIND_NAMES: Record<Kind, string> = {
  flow: 'Flow', dns: 'DNS', tls: 'TLS hello', http: 'HTTP', certificate: 'Certificate', contradiction: 'Contradiction', gap: 'Gap',
};

/** Whether a fact can have a volume: what others are part of is told with its flow. */
export function hasVolume(fact: Fact): boolean {
  return 'flow' in fact || 'http' in fact;
}

const QUERY_TYPES: Record<number, string> = {
  1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 10: 'NULL', 12: 'PTR', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 64: 'SVCB', 65: 'HTTPS', 255: 'ANY',
};
const RESPONSE_CODES: Record<number, string> = { 0: 'no error', 1: 'format error', 2: 'server failure', 3: 'no such name', 5: 'refused' };
const TLS_VERSIONS: Record<number, string> = { 0x0301: 'TLS 1.0', 0x0302: 'TLS 1.1', 0x0303: 'TLS 1.2', 0x0304: 'TLS 1.3', 0xfeff: 'DTLS 1.0', 0xfefd: 'DTLS 1.2', 0xfefc: 'DTLS 1.3' };
const PROTOCOL_WORDS: Partial<Record<Protocol, string>> = {
  tls: 'TLS', quic: 'QUIC', dtls: 'DTLS', http: 'HTTP/1', http2: 'HTTP/2', dns: 'DNS', dns_over_tls: 'DNS over TLS', dns_over_https: 'DNS over HTTPS',
  dns_over_quic: 'DNS over QUIC', ssh: 'SSH', smtp: 'SMTP', ftp: 'FTP', irc: 'IRC', bit_torrent: 'BitTorrent', tor: 'Tor', wire_guard: 'WireGuard', ntp: 'NTP',
  stun: 'STUN', socks: 'SOCKS', imap: 'IMAP', pop3: 'POP3', xmpp: 'XMPP', sip: 'SIP', rtsp: 'RTSP', rdp: 'RDP', vnc: 'VNC', telnet: 'Telnet', smb: 'SMB', git: 'Git',
  tftp: 'TFTP', ldap: 'LDAP', snmp: 'SNMP', mysql: 'MySQL', postgresql: 'PostgreSQL', mssql: 'SQL Server', mongodb: 'MongoDB', redis: 'Redis', mqtt: 'MQTT',
  amqp: 'AMQP', nats: 'NATS', open_vpn: 'OpenVPN', ike: 'IPsec',
};
const CONTRADICTION_WORDS = {
  executor: 'Two executors for one address', connect_and_sni: 'The proxy was asked for one name and the tunnel goes to another',
  proxy_saw_less: 'The proxy logged less than the wire carried', around_proxy: 'It went past the proxy',
} as const;
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
  if ('certificate' in fact) return certificateWords(fact.certificate);
  if ('contradiction' in fact) return contradictionWords(fact.contradiction);
  return gapWords(fact.gap.reason, fact.gap.count);
}

type Part<K extends Kind> = Extract<Fact, Record<K, unknown>>[K];

function flowWords({ transport, number, phase, protocol }: Part<'flow'>): string {
  const carrier = typeof transport === 'object' ? `IP protocol ${transport.other}` : transport.toUpperCase();
  const spoken = protocol ? `, ${PROTOCOL_WORDS[protocol] ?? spaced(protocol)}` : '';
  return `${carrier} flow${spoken}, ${number === 0 ? 'first interval' : `interval ${number + 1}`}, ${spaced(phase)}`;
}

function dnsWords({ name, query_type, over_tcp, resolution }: Part<'dns'>): string {
  const asked = `${QUERY_TYPES[query_type] ?? `type ${query_type}`} ${name}${over_tcp ? ' over TCP' : ''}`;
  if (!resolution) return `${asked}: no answer seen`;
  if (resolution.code !== 0) return `${asked}: ${RESPONSE_CODES[resolution.code] ?? `code ${resolution.code}`}`;
  const services = resolution.services.map(serviceWords);
  const given = [...resolution.aliases, ...resolution.addresses, ...services];
  return `${asked}: ${given.join(', ') || 'empty answer'} (${counted(resolution.answer_bytes, 'byte')})`;
}

function serviceWords({ target, alpn, port, ech }: ServiceBinding): string {
  const parts = [`service ${target ?? 'at the name itself'}`, port && `port ${port}`, alpn.length > 0 && alpn.join('/'), ech && 'with a key for encrypted hellos'];
  return parts.filter(Boolean).join(' ');
}

function tlsWords({ sni, alpn, ja4, version, carrier, ech }: Part<'tls'>): string {
  const parts = [
    `${TLS_VERSIONS[version] ?? 'TLS'} hello${carrier === 'quic' ? ' in QUIC' : ''} to ${sni ?? 'no name'}`,
    alpn && `ALPN ${alpn}`,
    `JA4 ${ja4}`,
    ech && 'an encrypted hello inside (the true name may be hidden)',
  ];
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
    request.body_bytes && `body of ${counted(request.body_bytes, 'byte')}`,
    request.content_type,
    request.user_agent && `agent ${request.user_agent}`,
    request.seen_by === 'wire' && 'seen on the wire',
    request.seen_by === 'sensor' && 'seen by another sensor',
  ];
  return parts.filter(Boolean).join(', ');
}

function certificateWords(shown: Part<'certificate'>): string {
  const parts = [
    `${shown.subject || 'no subject'}, issued by ${shown.self_signed ? 'itself' : shown.issuer || 'an unnamed issuer'}`,
    `valid from ${shown.not_before.slice(0, 10)} to ${shown.not_after.slice(0, 10)}`,
    shown.key,
    shown.chain > 0 && `chain of ${shown.chain}`,
    shown.name_matches === false && `not for ${shown.sni ?? 'the name asked for'}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function contradictionWords({ about, one, one_says, other, other_says }: Part<'contradiction'>): string {
  return `${CONTRADICTION_WORDS[about]}: ${one} says ${one_says}, ${other} says ${other_says}`;
}
