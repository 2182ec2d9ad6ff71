const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const TIME = String.raw`(\d\d):(\d\d):(\d\d)`;
/** The three forms of RFC 9110, section 5.6.7. */
const FIXED = new RegExp(String.raw`^[a-z]{3}, (\d\d) ([a-z]{3}) (\d{4}) ${TIME} gmt$`, "i");
const RFC_850 = new RegExp(String.raw`^[a-z]{6,9}, (\d\d)-([a-z]{3})-(\d\d) ${TIME} gmt$`, "i");
const ASCTIME = new RegExp(String.raw`^[a-z]{3} ([a-z]{3}) ([ \d]\d) ${TIME} (\d{4})$`, "i");

/**
 * Reads a date of HTTP in any of its three forms (RFC 9110, section 5.6.7).
 *
 * @param text What a header says, or `null`.
 * @returns Milliseconds since 1970; `undefined` where it is no such date.
 */
export function parseHttpDate(text: string | null): number | undefined {
  if (text === null) return undefined;
  const fixed = FIXED.exec(text);
  if (fixed) return utc(fixed[3], fixed[2], fixed[1], fixed.slice(4));
  const old = RFC_850.exec(text);
  if (old) {
    // A year that looks more than 50 years ahead is one of the past.
    const year = Math.floor(new Date().getUTCFullYear() / 100) * 100 + Number(old[3]);
    return utc(year > new Date().getUTCFullYear() + 50 ? year - 100 : year, old[2], old[1], old.slice(4));
  }
  const asctime = ASCTIME.exec(text);
  return asctime ? utc(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6)) : undefined;
}

function utc(
  year: string | number | undefined,
  month: string | undefined,
  day: string | undefined,
  time: readonly string[],
): number | undefined {
  const at = MONTHS.indexOf(month!.toLowerCase());
  const [hours, minutes, seconds] = time.map(Number);
  if (at < 0 || Number(day) > 31 || hours! > 23 || minutes! > 59 || seconds! > 60) return undefined;
  return Date.UTC(Number(year), at, Number(day), hours, minutes, seconds);
}
