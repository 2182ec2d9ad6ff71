/**
 * Programs that tests use and a machine may lack, each with the Debian package that has it, or `npm:` and a package of
 * npm. A test that needs one is made with {@linkcode testWith}: without the program it is ignored, and `deno task test`
 * says so at its end.
 */
export const PROGRAMS = {
  bun: "npm:bun@1",
  chromium: "chromium",
  dash: "dash",
  node22: "npm:node@22",
  npm: "npm",
  openssl: "openssl",
  promtool: "prometheus",
} as const;

/** The name of a program. */
export type Program = keyof typeof PROGRAMS;

/** Under which names systems have it besides, and where. */
const ELSEWHERE: Partial<Record<Program, readonly string[]>> = {
  chromium: [
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ],
  // In the package of npm, beside the folder of programs: one that is called "node" may be of any version.
  node22: ["../node/bin/node"],
};

/**
 * Looks for a program, without starting it.
 *
 * @param program Its name; the variable of that name in capitals may say where it is.
 * @returns Its path, if there is one.
 */
export async function findProgram(program: Program): Promise<string | undefined> {
  const named = Deno.env.get(program.toUpperCase());
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter(Boolean);
  const names = [program, ...ELSEWHERE[program] ?? []];
  const places = names.flatMap((name) => name.startsWith("/") ? [name] : folders.map((folder) => `${folder}/${name}`));
  for (const place of named ? [named, ...places] : places) {
    if (await Deno.stat(place).then(({ isFile }) => isFile, () => false)) return place;
  }
}

/**
 * Makes a test that needs a program.
 *
 * ```ts ignore
 * Deno.test(await testWith("promtool", "metricsHandler() passes the check of promtool", async (promtool) => {}));
 * ```
 *
 * @param program Which.
 * @param name What is tested; `(needs …)` is added.
 * @param fn The test, which is given the path of the program.
 * @param options Whether it is to be ignored for another reason.
 * @returns What `Deno.test()` takes.
 */
export async function testWith(
  program: Program,
  name: string,
  fn: (path: string, t: Deno.TestContext) => Promise<void>,
  options: { ignore?: boolean } = {},
): Promise<Deno.TestDefinition> {
  const path = await findProgram(program);
  const ignore = path === undefined || (options.ignore ?? false);
  return { name: `${name} (needs ${program})`, ignore, fn: (t) => fn(path!, t) };
}
