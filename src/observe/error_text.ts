/** How many causes of an error are told. */
const CAUSES = 3;
/** How long the text of an error may be. */
const LONGEST = 500;

/**
 * An error in words, with its causes and without its stack.
 *
 * @param error Whatever was thrown.
 * @returns Its text on one line.
 */
export function textOf(error: unknown): string {
  const texts: string[] = [];
  for (let each = error, i = 0; i <= CAUSES && each !== undefined && each !== null; i++) {
    const text = each instanceof Error ? `${each.name}: ${each.message}` : kindOf(each);
    // A wrapper often repeats what it wraps.
    if (!texts.some((told) => told.includes(text))) texts.push(text);
    each = each instanceof Error ? each.cause : undefined;
  }
  const text = texts.join(", because of ").replace(/\s+/g, " ").trim();
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

function kindOf(value: unknown): string {
  return typeof value === "string" ? value : `a thrown ${typeof value}`;
}
