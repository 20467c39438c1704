-- Few incidents are suppressed: which, is asked for every minute.

CREATE INDEX incidents_by_suppression ON incidents (suppressed_by) WHERE suppressed_by IS NOT NULL;
