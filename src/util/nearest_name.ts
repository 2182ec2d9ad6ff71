/** How many letters must be added, left out, replaced or swapped with their neighbour to make one word of the other. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

/**
 * The name that somebody probably meant.
 *
 * @param name What they wrote; only the first 64 characters count.
 * @param known The names there are, at least one.
 */
export function nearestName(name: string, known: readonly string[]): string {
  const wanted = name.slice(0, 64).toLowerCase();
  let nearest = "", least = Infinity;
  for (const candidate of known) {
    const steps = distance(wanted, candidate.toLowerCase());
    if (steps < least) [nearest, least] = [candidate, steps];
  }
  return nearest;
}

/** What other libraries call it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ex: "ttl",
  px: "ttl",
  expire: "ttl",
  expires: "ttl",
  expiresin: "ttl",
  expiry: "ttl",
  maxage: "ttl",
  swr: "staleWhileRevalidate",
};

/** The words of a name, in lower case: `staleIfError`, `stale_if_error` and `stale-if-error` have the same. */
function wordsOf(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").split(/[\s_-]+/);
  return ` ${words.join(" ").toLowerCase()} `;
}

/**
 * The name that somebody meant, where one is near: a slip away for each three letters, or with some words more or less,
 * or what other libraries call it.
 *
 * @param name What they wrote; only the first 64 characters count.
 * @param known The names there are.
 */
export function nearName(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const wanted = name.slice(0, 64);
  const lower = wanted.toLowerCase();
  const nearest = nearestName(wanted, known);
  const slips = distance(lower, nearest.toLowerCase());
  if (slips <= 1 && wanted.length >= 3) return nearest;
  const elsewhere = Object.hasOwn(ELSEWHERE, lower) ? ELSEWHERE[lower] : undefined;
  if (elsewhere !== undefined && known.includes(elsewhere)) return elsewhere;
  const words = wordsOf(wanted);
  const within = known.filter((candidate) => words.includes(wordsOf(candidate)));
  if (within.length > 0) return within.reduce((a, b) => b.length > a.length ? b : a);
  if (slips <= Math.floor(Math.max(wanted.length, nearest.length) / 3)) return nearest;
  // One short word is in too many names to say which is meant.
  return wanted.length < 4 ? undefined : known.find((candidate) => wordsOf(candidate).includes(words));
}
