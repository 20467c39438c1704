/** The domain's words, said to people. */

import type { ChangeBy, Detector, GapReason, Level, Normal, Severity, Stage, Tail } from '../api/types';
import { counted } from './number';

/** Most urgent first. */
export const SEVERITIES: readonly Severity[] = ['critical', 'high', 'medium', 'low'];

/** Sessions from which on thresholds are calibrated to what was seen here. */
const CALIBRATION_SESSIONS = 3000;

export const DETECTOR_NAMES: Record<Detector, string> = {
  new_destination: 'New destination',
  upload_size: 'Upload size',
  rate_burst: 'Rate burst',
  slow_drip: 'Slow drip',
  beacon: 'Beacon',
  dns_tunnel: 'DNS tunnel',
  blocked_probes: 'Blocked probes',
  foreign_tenant: 'Foreign tenant',
  direct_address: 'Direct address',
  odd_certificate: 'Odd certificate',
  sensitive_content: 'Sensitive content',
  policy: 'Policy',
  contradiction: 'Contradiction',
  blind: 'Blind source',
  fleet_drip: 'Fleet drip',
  template_drift: 'Template drift',
  fan_out: 'Fan-out',
  not_found: 'Not-found requests',
  health: 'Egret itself',
};

/** The person behind a change; nothing for the engine. */
export function person(by: ChangeBy): string | undefined {
  return typeof by === 'object' ? by.analyst : undefined;
}

/** What each kind of tail probability means. */
export const TAIL_WORDS: Record<Tail, string> = {
  rule: 'A rule: nothing was estimated.',
  prior: 'From what Egret ships with: too little was seen here yet.',
  empirical: 'Within the range that was observed here before.',
  extrapolated: 'Beyond everything observed here before: from a fitted tail.',
};

/** How much the engine knew when it judged. */
export const STAGE_WORDS: Record<Stage, string> = {
  rules: 'A rule said so; nothing needs to have been learned.',
  priors: 'Few sessions were seen: shipped values with strict thresholds.',
  calibrated: 'Thresholds come from the sessions seen here.',
};

const GAP_WORDS: Record<GapReason, readonly [one: string, many: string, why: string]> = {
  kernel_drop: ['packet', 'packets', 'dropped by the kernel before the capture read them'],
  queue_full: ['event', 'events', 'dropped because the queue behind the source was full'],
  malformed: ['packet or line', 'packets or lines', 'could not be understood'],
  truncated: ['packet', 'packets', 'cut short by the snapshot length'],
  line_too_long: ['line', 'lines', 'over the length limit'],
  log_lost: ['byte', 'bytes', 'of a log file cut short or replaced before all of it was read'],
  flow_table_full: ['flow', 'flows', 'pushed out of a full flow table'],
  stopped: ['pause', 'pauses', 'while the collector was not running'],
  missed_bytes: ['byte', 'bytes', 'of TCP streams acknowledged and never seen'],
  sequence_hole: ['record', 'records', 'numbered by the exporter and never arrived'],
  quiet: ['second', 'seconds', 'in which the source was quiet for much longer than it usually is'],
  sensor_loss: ['packet', 'packets', 'lost by the sensor behind the source, by its own account'],
  no_template: ['flow record', 'flow records', 'of a layout that the exporter had not told yet'],
};

/** `12 packets dropped by the kernel …`. */
export function gapWords(reason: GapReason, count: number): string {
  const [one, many, why] = GAP_WORDS[reason];
  return `${counted(count, one, many)} ${why}`;
}

/** A reason for loss as in `not_egress`, with spaces. */
export function spaced(word: string): string {
  return word.replaceAll('_', ' ');
}

/** What the engine's stage means for the whole installation. */
export function stageSentence(stage: Stage, sessions: number): string {
  const learned = counted(sessions, 'session');
  switch (stage) {
    case 'calibrated':
      return `Thresholds are calibrated on ${learned} seen here.`;
    case 'priors':
      return sessions < CALIBRATION_SESSIONS
        ? `Fewer than ${counted(CALIBRATION_SESSIONS, 'session')} learned (${learned}); thresholds are strict shipped values.`
        : `${learned} learned, not yet calibrated; thresholds are strict shipped values.`;
    case 'rules':
      return 'Only rules apply; nothing was learned yet.';
  }
}

const LEVEL_WORDS: Record<Level, string> = {
  template: 'template',
  tenant: 'tenant',
  segment: 'segment',
  fleet: 'the fleet',
  prior: 'the shipped prior',
};

/** What "normal" refers to: `template python-notebook, 4,120 sessions`. */
export function normalSource({ level, name, sessions }: Normal): { level: string; name: string; sessions: string } {
  const named = level === 'fleet' || level === 'prior' ? '' : name;
  const learned = sessions === 0 ? 'nothing learned here yet' : counted(sessions, 'session');
  return { level: LEVEL_WORDS[level], name: named, sessions: learned };
}

/** The page of an ATT&CK technique; nothing when the id does not look like one. */
export function techniqueUrl(id: string): string | undefined {
  const match = /^(T\d{4})(?:\.(\d{3}))?$/.exec(id);
  if (!match) return undefined;
  return `https://attack.mitre.org/techniques/${match[1]}/${match[2] ? `${match[2]}/` : ''}`;
}
