/**
 * The rooms of the source and the floors on which they stand: `deno task check` refuses an import that goes up, or
 * across to another room of the same floor, and files that import each other in a circle.
 *
 * @module
 */

/**
 * From the ground up. A path that ends in a slash is a folder; the longest path that fits a file says on which floor it
 * stands.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ["src/errors/"],
  ["src/errors.ts"],
  ["src/util/"],
  ["src/values/", "src/observe/", "src/web/"],
  ["src/redis/"],
  [
    "src/redis/adapters/",
    "src/cache/",
    "src/locks/",
    "src/pubsub/",
    "src/sessions/",
    "src/streams/",
    "src/rate_limit/store.ts",
  ],
  ["src/rate_limit/algorithms/"],
  ["src/rate_limit/"],
  [
    "src/cache/redis/",
    "src/locks/redis/",
    "src/pubsub/redis/",
    "src/streams/redis/",
    "src/sessions/redis/",
    "src/rate_limit/redis/",
    "src/images/formats/",
  ],
  ["src/images/"],
  ["src/connect/"],
  ["src/http/", "src/stores/", "src/testing/"],
  // Entry points hand on what there is in their rooms, and below.
  [
    "src/cache/mod.ts",
    "src/images/mod.ts",
    "src/locks/mod.ts",
    "src/pubsub/mod.ts",
    "src/rate_limit/mod.ts",
    "src/redis/mod.ts",
    "src/sessions/mod.ts",
    "src/streams/mod.ts",
  ],
  ["mod.ts"],
];

/** An import of one file by another. */
export interface Import {
  /** The file that imports. */
  readonly from: string;
  /** The file that is imported. */
  readonly to: string;
}

const IMPORT = /^\s*(?:import|export)\b[^;"]*?\bfrom\s+"(\.[^"]+)"|^import\s+"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"/gm;

/**
 * Finds the imports in a file, those of types among them.
 *
 * @param file Its path from the root of the project.
 * @param text What it says.
 * @returns The imports of files of the project.
 */
export function importsIn(file: string, text: string): Import[] {
  return [...text.matchAll(IMPORT)].map(([, from, bare, dynamic]) => ({
    from: file,
    to: new URL((from ?? bare ?? dynamic)!, `file:///${file}`).pathname.slice(1),
  }));
}

/** The room of a file, and its floor. */
function placeOf(file: string): { room: string; floor: number } | undefined {
  let place: { room: string; floor: number } | undefined;
  for (const [floor, rooms] of FLOORS.entries()) {
    for (const room of rooms) {
      const fits = room.endsWith("/") ? file.startsWith(room) : file === room;
      if (fits && room.length > (place?.room.length ?? 0)) place = { room, floor };
    }
  }
  return place;
}

/**
 * Finds what breaks the order of the rooms.
 *
 * @param imports All imports of the source.
 * @returns A line for each file that does, with what it imports.
 */
export function misplaced(imports: readonly Import[]): string[] {
  const lines: string[] = [];
  for (const { from, to } of imports) {
    const [above, below] = [placeOf(from), placeOf(to)];
    if (!above || !below) {
      lines.push(`${above ? to : from} stands in no room: name one in FLOORS of tools/rooms.ts`);
    } else if (above.room !== below.room && above.floor <= below.floor) {
      const way = above.floor < below.floor ? "up" : "across";
      lines.push(`${from} imports ${to}: ${way}, from ${above.room} to ${below.room} (FLOORS of tools/rooms.ts)`);
    }
  }
  for (const circle of circles(imports)) lines.push(`Files import each other in a circle: ${circle.join(" → ")}`);
  return [...new Set(lines)];
}

/** A way around for each file that imports itself by way of others, once. */
function circles(imports: readonly Import[]): string[][] {
  const found: string[][] = [];
  const next = Map.groupBy(imports, ({ from }) => from);
  const done = new Set<string>();
  const way: string[] = [];
  const walk = (file: string) => {
    const at = way.indexOf(file);
    if (at !== -1) found.push([...way.slice(at), file]);
    if (at !== -1 || done.has(file)) return;
    way.push(file);
    for (const { to } of next.get(file) ?? []) walk(to);
    way.pop();
    done.add(file);
  };
  for (const file of next.keys()) walk(file);
  return found;
}
