/** Compares ids as Redis does: by their milliseconds, then by their number. Without a number it is the first. */
export function compareIds(a: string, b: string): number {
  const [aMs = "0", aNumber = "0"] = a.split("-");
  const [bMs = "0", bNumber = "0"] = b.split("-");
  return Number(aMs) - Number(bMs) || Number(aNumber) - Number(bNumber);
}

/** Whether an id is in a range as Redis writes it: `-`, `+`, an id, or `(` and the one before. */
export function isWithin(id: string, from: string, to: string): boolean {
  const begins = from === "-" || (from.startsWith("(") ? compareIds(id, from.slice(1)) > 0 : compareIds(id, from) >= 0);
  if (!begins || to === "+") return begins;
  return to.includes("-") ? compareIds(id, to) <= 0 : Number(id.split("-")[0]) <= Number(to);
}
