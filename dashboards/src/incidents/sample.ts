/** An incident for tests. */

import type { IncidentRow } from '../api/types';

const AT = '2026-01-31T09:30:00Z';

/** A row with the given fields replaced. */
export function sampleRow(changes: Partial<IncidentRow> = {}): IncidentRow {
  return {
    id: '0'.repeat(32),
    title: 'job-1 sent 2 MiB to paste.example.net',
    severity: 'high',
    score: 0.9,
    stage: 'priors',
    origin: { executor: 'job-1', session: null, template: 'notebook', tenant: 'acme', segment: 'lab', named_by: 'registration' },
    session: 'job-1',
    destination: 'example.net',
    hosts: ['paste.example.net'],
    addresses: ['203.0.113.9'],
    ports: [443],
    opened_at: AT,
    updated_at: AT,
    first_seen: AT,
    last_seen: AT,
    observed: { up_bytes: 2_097_152, down_bytes: 512, contacts_of_unknown_volume: 0, contacts_allowed: 3, contacts_blocked: 0, distinct_blocked: 0, events: 9 },
    explanation: {
      summary: 'It sent more than is normal.',
      p_combined: 1e-6,
      threshold: 1e-4,
      findings: [
        {
          detector: 'upload_size',
          p: 1e-6,
          tail: 'prior',
          share: 1,
          observed: { value: 2_097_152, unit: 'bytes' },
          normal: { level: 'prior', name: '', sessions: 0, median: 4096, p98: 65_536 },
          words: 'Sent far more than is normal.',
        },
      ],
      baseline: 'a'.repeat(32),
      baseline_frozen_at: null,
      baseline_sessions: 0,
      evidence: [],
      gaps: [],
      techniques: [{ id: 'T1048', name: 'Exfiltration Over Alternative Protocol' }],
      next_steps: [],
    },
    status: 'open',
    ended: false,
    suppressed_by: null,
    acknowledged_by: null,
    comments: 0,
    verdict: null,
    judged_like: null,
    ...changes,
  };
}
