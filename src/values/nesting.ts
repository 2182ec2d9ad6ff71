/**
 * Whether plain data, arrays, maps and sets are nested deeper than so many levels.
 *
 * @param value What was read.
 * @param levels How many may be.
 * @param seen Where what is referred to twice is remembered; without it, nothing may be.
 */
export function isDeeper(value: unknown, levels: number, seen?: Set<object>): boolean {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if (levels === 0) return true;
  if (seen) {
    if (seen.has(value)) return false;
    seen.add(value);
  }
  const parts = value instanceof Map ? [...value.keys(), ...value.values()] : value instanceof Set ? value : undefined;
  if (parts || Array.isArray(value)) {
    for (const part of parts ?? value as unknown[]) {
      if (typeof part === "object" && isDeeper(part, levels - 1, seen)) return true;
    }
    return false;
  }
  const fields = value as Record<string, unknown>;
  for (const name in fields) {
    const field = fields[name];
    if (typeof field === "object" && isDeeper(field, levels - 1, seen)) return true;
  }
  return false;
}
