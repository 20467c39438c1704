/** Short names for the types of the API, which are generated from openapi.json. */

import type { components, operations } from './schema';

type Schemas = components['schemas'];
type QueryOf<Name extends keyof operations> = NonNullable<operations[Name]['parameters']['query']>;

export type ActionKind = Schemas['ActionKind'];
export type BulkOutcome = Schemas['BulkOutcome'];
export type ChangeBy = Schemas['ChangeBy'];
export type ChangeKind = Schemas['ChangeKind'];
export type DestinationRow = Schemas['DestinationRow'];
export type DestinationSort = Schemas['DestinationSort'];
export type Detector = Schemas['Detector'];
export type Event = Schemas['Event'];
export type Evidence = Schemas['Evidence'];
export type ExecutorRow = Schemas['ExecutorRow'];
export type Fact = Schemas['Fact'];
export type FactKind = Schemas['FactKind'];
export type Feedback = Schemas['Feedback'];
export type Finding = Schemas['Finding'];
export type GapReason = Schemas['GapReason'];
export type GapSeen = Schemas['GapSeen'];
export type HistoryEntry = Schemas['HistoryEntry'];
export type IncidentDetail = Schemas['IncidentDetail'];
export type IncidentRow = Schemas['IncidentRow'];
export type IncidentSort = Schemas['IncidentSort'];
export type IncidentStatus = Schemas['IncidentStatus'];
export type IncidentVerdict = Schemas['IncidentVerdict'];
export type JudgedBenign = Schemas['JudgedBenign'];
export type LedgerReading = Schemas['LedgerReading'];
export type Level = Schemas['Level'];
export type Me = Schemas['Me'];
export type NewSuppression = Schemas['NewSuppression'];
export type Normal = Schemas['Normal'];
export type Observed = Schemas['Observed'];
export type Protocol = Schemas['Protocol'];
export type Quantity = Schemas['Quantity'];
export type RollUp = Schemas['RollUp'];
export type Series = Schemas['Series'];
export type SeriesPoint = Schemas['SeriesPoint'];
export type ServiceBinding = Schemas['ServiceBinding'];
export type Severity = Schemas['Severity'];
export type SortOrder = Schemas['SortOrder'];
export type SourceStatus = Schemas['SourceStatus'];
export type Stage = Schemas['Stage'];
export type Status = Schemas['Status'];
export type Story = Schemas['Story'];
export type StreamedChange = Schemas['StreamedChange'];
export type Suppression = Schemas['Suppression'];
export type SuppressionPreview = Schemas['SuppressionPreview'];
export type Suppressions = Schemas['Suppressions'];
export type Tail = Schemas['Tail'];
export type VerdictPreview = Schemas['VerdictPreview'];
export type VerdictRow = Schemas['VerdictRow'];

export type DestinationsQuery = QueryOf<'list_destinations'>;
export type EventsQuery = QueryOf<'list_events'>;
export type ExecutorsQuery = QueryOf<'list_executors'>;
export type IncidentsQuery = QueryOf<'list_incidents'>;
export type RollUpsQuery = QueryOf<'list_roll_ups'>;
export type SeriesQuery = QueryOf<'get_series'>;

/** One page of rows. */
export interface Page<T> {
  items: T[];
  /** Where the next page begins; nothing after the last. */
  next?: string | null;
}
