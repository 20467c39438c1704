-- A verdict is about one destination: which incidents are like the one that was judged.

CREATE INDEX incidents_by_destination ON incidents (destination, updated_at, id);
