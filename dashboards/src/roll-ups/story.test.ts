import { expect, test } from 'vitest';
import type { RollUp, Story } from '../api/types';
import { detectorWords, oneOf, sizeWords, statusWords, subject } from './story';

const AT = '2026-01-31T09:30:00Z';

function rollUp(changes: Partial<RollUp> = {}): RollUp {
  return {
    id: '1'.repeat(32),
    story: { kind: 'destination', destination: 'bad.example', place: null },
    destination: 'bad.example',
    first_incident: '2'.repeat(32),
    last_incident: '3'.repeat(32),
    first_opened_at: AT,
    last_opened_at: AT,
    last_seen: AT,
    incidents: 41,
    sessions: 41,
    executors: { count: 41, names: ['job-1'] },
    templates: { count: 1, names: ['python'] },
    tenants: { count: 3, names: ['acme', 'globex', 'umbrella'] },
    severity: 'high',
    score: 0.9,
    detectors: [{ detector: 'upload_size', incidents: 39 }, { detector: 'dns_tunnel', incidents: 2 }],
    open: 39,
    acknowledged: 1,
    closed: 1,
    ...changes,
  };
}

test('a roll-up says how much it is, where it stands and by what it was found', () => {
  expect(sizeWords(rollUp())).toBe('41 incidents, 41 sessions, 3 tenants');
  expect(sizeWords(rollUp({ incidents: 1, sessions: 0, tenants: { count: 0, names: [] } }))).toBe('1 incident');
  expect(statusWords(rollUp())).toBe('39 open, 1 acknowledged, 1 closed');
  expect(detectorWords(rollUp())).toBe('Upload size (39), DNS tunnel (2)');
  expect(detectorWords(rollUp({ detectors: [{ detector: 'policy', incidents: 41 }] }))).toBe('Policy');
});

test('an incident says of how many it is one, and nothing when it stands alone', () => {
  expect(oneOf(rollUp())).toBe('One of 41 incidents about this destination (41 sessions, 3 tenants)');
  expect(oneOf(rollUp({ incidents: 1 }))).toBeUndefined();
  const source = rollUp({ story: { kind: 'source', source: 'eth0' }, incidents: 2, sessions: 0, tenants: { count: 0, names: [] } });
  expect(oneOf(source)).toBe('One of 2 incidents about this part of Egret');
  const place: Story = { kind: 'destination', destination: 'github.com', place: 'github.com/mallory' };
  expect(oneOf(rollUp({ story: place, sessions: 1, tenants: { count: 1, names: ['acme'] } }))).toBe('One of 41 incidents about this place (1 session, 1 tenant)');
});

test('the name of a story is its narrowest, and says whose it is where it is not everybody\'s', () => {
  expect(subject({ kind: 'destination', destination: 'github.com', place: 'github.com/mallory' })).toEqual({ name: 'github.com/mallory' });
  expect(subject({ kind: 'internal', destination: '10.0.0.5', segment: 'lab', template: 'python', executor: null })).toEqual({ name: '10.0.0.5', of: 'python' });
  expect(subject({ kind: 'internal', destination: '10.0.0.5', segment: 'lab', template: null, executor: 'job-1' }).of).toBe('job-1');
  expect(subject({ kind: 'executor', executor: 'job-1', template: null, tenant: null })).toEqual({ name: 'many destinations', of: 'job-1' });
});
