/** The most columns of a line. */
export const COLUMNS = 120;

/**
 * Finds lines that are too long. The formatter breaks code, but neither comments nor text. In tests only comments are
 * looked at: their names are sentences.
 *
 * @param file The path, from the root of the project.
 * @param text What it says.
 * @returns A line for each.
 */
export function longLines(file: string, text: string): string[] {
  const found: string[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.length <= COLUMNS) continue;
    if (file.startsWith("tests/") && !/^\s*(?:\/\/|\/?\*)/.test(line)) continue;
    found.push(`${file}:${i + 1} has ${line.length} columns: ${COLUMNS} at most`);
  }
  return found;
}
