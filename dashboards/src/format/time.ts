/** Times and durations. Times are shown in UTC, with the reader's local time in the title. */

const MS = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** Milliseconds since the epoch of an RFC 3339 text; digits past the millisecond are cut. */
export function millis(text: string): number {
  return Date.parse(text);
}

/** `2026-01-31 09:30:00`, in UTC. What is not a time is given back as it is. */
export function utc(text: string): string {
  const at = millis(text);
  return Number.isNaN(at) ? text : new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** `2026-01-31`, in UTC. */
export function day(text: string): string {
  return utc(text).slice(0, 10);
}

/** `2026-01-31 09:30:00.123`, in UTC. */
export function utcPrecise(text: string): string {
  const at = millis(text);
  return Number.isNaN(at) ? text : new Date(at).toISOString().slice(0, 23).replace('T', ' ');
}

/** `09:30` where all times lie within two days, `01-31 09:30` otherwise. */
export function axisTime(at: number, spanMs: number): string {
  const iso = new Date(at).toISOString();
  return spanMs <= 2 * MS.day ? iso.slice(11, 16) : `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
}

/** The same moment where the reader is, for titles. */
export function local(text: string, timeZone?: string): string {
  const at = millis(text);
  if (Number.isNaN(at)) return text;
  const zoned = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long', timeZone });
  return `${zoned.format(at)} (local time)`;
}

/** `0.4 s`, `12 s`, `3 min 20 s`, `5 h 2 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 10 * MS.second) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / MS.second);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(ms / MS.minute);
  if (minutes < 24 * 60) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(ms / MS.hour);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** `3 min 20 s ago`, `in 5 h`, `now`. */
export function ago(text: string, now: number): string {
  const past = now - millis(text);
  if (Number.isNaN(past)) return text;
  if (Math.abs(past) < MS.second) return 'now';
  return past > 0 ? `${duration(past)} ago` : `in ${duration(-past)}`;
}

/** For `<input type="datetime-local">`, read as UTC: `2026-01-31T09:30`. */
export function toInput(text: string): string {
  const at = millis(text);
  return Number.isNaN(at) ? '' : new Date(at).toISOString().slice(0, 16);
}

/** What such an input holds, as RFC 3339 in UTC; `undefined` when it is empty or half-typed. */
export function fromInput(value: string): string | undefined {
  const at = Date.parse(`${value}Z`);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
