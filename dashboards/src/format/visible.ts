/**
 * Makes hostile text safe to look at.
 *
 * Names come from the wire. Svelte writes them as text nodes, so markup is never a danger; what
 * is left are characters that cannot be seen or that reorder their neighbours (bidirectional
 * controls, zero-width characters, fillers, tags). They are shown by code point instead.
 */

/** A stretch of text: either as it is, or the code point of something that would not be seen. */
export interface Piece {
  text: string;
  unseen: boolean;
}

/**
 * Other (control, format, surrogate, private, unassigned), default-ignorable, the blank Braille
 * pattern, and every separator but the plain space.
 */
const UNSEEN = /[\p{C}\p{DI}\u2800]|(?! )\p{Z}/gu;

/** Splits text into what can be shown as it is and what must be named. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (match.index > from) out.push({ text: text.slice(from, match.index), unseen: false });
    out.push({ text: codePoint(match[0]), unseen: true });
    from = match.index + match[0].length;
  }
  if (from < text.length || out.length === 0) out.push({ text: text.slice(from), unseen: false });
  return out;
}

/** The same as one string, for titles and labels: `a‹U+202E›b`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (char) => `‹${codePoint(char)}›`);
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
