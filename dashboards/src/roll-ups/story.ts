/** What incidents of one story come to, in words. Pure. */

import type { RollUp, Story } from '../api/types';
import { DETECTOR_NAMES } from '../format/words';
import { count, counted } from '../format/number';

/** What a story is about: its name, which may come from outside, and whose story it is where it is not everybody's. */
export function subject(story: Story): { name: string; of?: string } {
  switch (story.kind) {
    case 'destination':
      return { name: story.place ?? story.destination };
    case 'internal': {
      const of = story.template ?? story.executor;
      return of ? { name: story.destination, of } : { name: story.destination };
    }
    case 'executor':
      return { name: 'many destinations', of: story.executor };
    case 'template':
      return { name: story.template ?? 'executors of no known template', of: 'all sessions together' };
    case 'source':
      return { name: story.source, of: 'Egret itself' };
  }
}

/** `41 incidents, 41 sessions, 3 tenants`. What there is none of is left out. */
export function sizeWords({ incidents, sessions, tenants }: RollUp): string {
  const parts = [[incidents, 'incident'], [sessions, 'session'], [tenants.count, 'tenant']] as const;
  return parts.filter(([n]) => n > 0).map(([n, one]) => counted(n, one)).join(', ');
}

/** `39 open, 1 acknowledged, 1 closed`. */
export function statusWords({ open, acknowledged, closed }: RollUp): string {
  const parts = [[open, 'open'], [acknowledged, 'acknowledged'], [closed, 'closed']] as const;
  return parts.filter(([n]) => n > 0).map(([n, word]) => `${count(n)} ${word}`).join(', ');
}

/** `Upload size, DNS tunnel (2)`: the most frequent first, with how often where that is not always. */
export function detectorWords({ detectors, incidents }: RollUp): string {
  return detectors
    .map(({ detector, incidents: n }) => DETECTOR_NAMES[detector] + (n === incidents ? '' : ` (${count(n)})`))
    .join(', ');
}

const ABOUT: Record<Story['kind'], string> = {
  destination: 'about this destination',
  internal: 'about this destination and executors like this one',
  executor: 'of this executor about many destinations',
  template: 'about this template',
  source: 'about this part of Egret',
};

/** `One of 41 incidents about this destination (41 sessions, 3 tenants)`; nothing where it is the only one. */
export function oneOf(rollUp: RollUp): string | undefined {
  if (rollUp.incidents < 2) return undefined;
  const about = rollUp.story.kind === 'destination' && rollUp.story.place ? 'about this place' : ABOUT[rollUp.story.kind];
  const others = sizeWords(rollUp).split(', ').slice(1).join(', ');
  return `One of ${counted(rollUp.incidents, 'incident')} ${about}${others === '' ? '' : ` (${others})`}`;
}
