/** Every call that the page makes. A failed one throws a [Problem]. */

import createClient from 'openapi-fetch';
import { session } from '../state/session.svelte';
import { problemFrom } from './problem';
import type { paths } from './schema';
import type {
  ActionKind,
  DestinationsQuery,
  Event,
  EventsQuery,
  ExecutorsQuery,
  IncidentsQuery,
  IncidentVerdict,
  NewSuppression,
  Page,
  RollUpsQuery,
  SeriesQuery,
  Status,
} from './types';

const client = createClient<paths>({ credentials: 'same-origin' });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The answer's body, or the problem that came instead. */
async function body<T>(call: Promise<Answer<T>>): Promise<NonNullable<T>> {
  const { data, error, response } = await call;
  if (response.status === 401) session.needsLogin = true;
  if (!response.ok) throw problemFrom(response.status, error);
  // Answers without a body (204) are asked for nothing.
  return (data ?? undefined) as NonNullable<T>;
}

// The two `as` give back what openapi-fetch's types make of tuples: lists of unknown length.
export const api = {
  me: () => body(client.GET('/v1/me')),
  login: (token: string) => body(client.POST('/v1/login', { body: { token } })),
  logout: () => body(client.POST('/v1/logout')),
  status: (signal?: AbortSignal) =>
    body(client.GET('/v1/status', { signal })) as Promise<Status>,

  incidents: (query: IncidentsQuery, signal?: AbortSignal) =>
    body(client.GET('/v1/incidents', { params: { query }, signal })),
  incident: (id: string, signal?: AbortSignal) =>
    body(client.GET('/v1/incidents/{id}', { params: { path: { id } }, signal })),
  rollUps: (query: RollUpsQuery, signal?: AbortSignal) =>
    body(client.GET('/v1/roll-ups', { params: { query }, signal })),
  act: (ids: string[], action: ActionKind, comment?: string, verdict?: IncidentVerdict) =>
    body(client.POST('/v1/incidents/actions', { body: { ids, action, comment, verdict } })),
  previewVerdict: (id: string, signal?: AbortSignal) =>
    body(client.GET('/v1/incidents/{id}/verdict-preview', { params: { path: { id } }, signal })),
  comment: (id: string, comment: string) =>
    body(client.POST('/v1/incidents/{id}/comments', { params: { path: { id } }, body: { comment } })),

  events: (query: EventsQuery, signal?: AbortSignal) =>
    body(client.GET('/v1/events', { params: { query }, signal })) as Promise<Page<Event>>,
  destinations: (query: DestinationsQuery, signal?: AbortSignal) =>
    body(client.GET('/v1/destinations', { params: { query }, signal })),
  executors: (query: ExecutorsQuery, signal?: AbortSignal) =>
    body(client.GET('/v1/executors', { params: { query }, signal })),
  series: (query: SeriesQuery, signal?: AbortSignal) =>
    body(client.GET('/v1/series', { params: { query }, signal })),

  suppressions: (signal?: AbortSignal) => body(client.GET('/v1/suppressions', { signal })),
  previewSuppression: (wanted: NewSuppression, signal?: AbortSignal) =>
    body(client.POST('/v1/suppressions/preview', { body: wanted, signal })),
  suppress: (wanted: NewSuppression) => body(client.POST('/v1/suppressions', { body: wanted })),
  removeSuppression: (id: string) =>
    body(client.DELETE('/v1/suppressions/{id}', { params: { path: { id } } })),
};
