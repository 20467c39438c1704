/** Numbers, sizes and probabilities as people read them. English grouping, always. */

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** The smallest positive probability the engine writes before it underflows to zero. */
const P_FLOOR = '< 1e-300';

/** `12,345`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** `1 contact`, `2 contacts`, `12,345 contacts`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Bytes in binary units, three significant digits: `1.2 KiB`. */
export function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${trimZeros(scaled.toFixed(digits))} ${UNITS[unit]}`;
}

/** `1,234 bytes`: the exact number behind [bytes]. */
export function exactBytes(value: number): string {
  return counted(value, 'byte');
}

/** A measured value with its unit; sizes in binary units. */
export function quantity(value: number, unit: string): string {
  if (unit === 'bytes') return bytes(value);
  return unit === '' ? decimal(value) : `${decimal(value)} ${unit}`;
}

/** The exact value behind [quantity]. */
export function exactQuantity(value: number, unit: string): string {
  const exact = new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 }).format(value);
  return unit === '' ? exact : `${exact} ${unit}`;
}

/** A number without a unit: whole numbers grouped, others with three significant digits. */
export function decimal(value: number): string {
  if (Number.isInteger(value)) return count(value);
  return value !== 0 && Math.abs(value) < 1e-3 ? scientific(value) : precise.format(value);
}

/** A tail probability. Rules estimate nothing and say so. */
export function pValue(p: number, tail?: string): string {
  if (tail === 'rule') return 'rule';
  if (p <= 0) return P_FLOOR;
  return p < 1e-3 ? scientific(p) : decimal(Number(p.toPrecision(2)));
}

/** A probability in words: `about 1 in 31,000`. */
export function oneIn(p: number): string {
  if (p <= 0 || p < 1e-12) return 'less than 1 in a million million';
  if (p >= 0.5) return 'about every second one or more';
  return `about 1 in ${count(Number((1 / p).toPrecision(2)))}`;
}

/** A part of the whole: `62 %`, `< 1 %`. */
export function percent(share: number): string {
  if (share > 0 && share < 0.01) return '< 1 %';
  return `${Math.round(share * 100)} %`;
}

function scientific(value: number): string {
  return value.toExponential(1).replace('.0e', 'e');
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
