/** A program in a Debian package. */
export interface DebianProgram {
  /** The package, as in "redis-server". */
  package: string;
  /** Where the program is in it, as in "usr/bin/redis-server". */
  path: string;
  /** The release of Debian that it is taken from. @default {that of this machine} */
  suite?: string;
}

/** What redis-server consists of where apt cannot tell what is missing; unknown names are passed over. */
const PACKAGES = [
  ...["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1", "liblua5.1-0", "lua-bitop", "lua-cjson"],
  ...["libhiredis0.14", "libhiredis1.1.0"],
];
const MIRROR = "http://deb.debian.org/debian";
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

const decoder = new TextDecoder();

/**
 * Fetches a program and the libraries that it lacks as Debian packages and unpacks them, without installing anything.
 *
 * @param folder Where to put them; what is there already is used.
 * @param program Which.
 * @returns The executable, or `undefined` where this is no Debian or the packages cannot be had.
 */
export async function unpackDebian(folder: string, program: DebianProgram): Promise<string | undefined> {
  const executable = `${folder}/${program.path.replace(/.*\//, "")}`;
  if (await works(executable)) return executable;
  if (!await works("apt-get") || !await works("dpkg")) return undefined;
  // deno-lint-ignore no-console
  console.log(`Fetching ${program.package} as Debian packages into ${folder} (once, nothing is installed).`);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const packages = `${folder}/packages`;
  await Deno.mkdir(packages, { recursive: true });
  const { package: wanted, suite } = program;
  const found = suite === undefined
    ? await download(packages, wanted, []) || await download(packages, wanted, await updatedLists(folder))
    : await download(packages, wanted, await updatedLists(folder, suite));
  if (!found) return undefined;
  for await (const { name } of Deno.readDir(packages)) {
    await run("dpkg", ["-x", `${packages}/${name}`, `${folder}/root`]);
  }
  for (const done of [packages, `${folder}/apt`]) await Deno.remove(done, { recursive: true }).catch(() => {});
  await writeLauncher(executable, folder, program);
  return await works(executable) ? executable : undefined;
}

/** Downloads a package and what it needs into a folder. */
async function download(folder: string, wanted: string, options: string[]): Promise<boolean> {
  const { output } = await run("apt-get", [
    ...options,
    ...["install", "--simulate", "--no-install-recommends", wanted],
  ]);
  const missing = [...output.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!);
  // Where a part of it is installed, apt does not say what that part needs.
  const complete = wanted !== "redis-server" || missing.includes("redis-tools");
  // Together where all names are known, which takes a tenth of the time.
  if (complete) await run("apt-get", [...options, "download", ...missing], folder);
  else for (const name of PACKAGES) await run("apt-get", [...options, "download", name], folder);
  const proof = wanted === "redis-server" ? "redis-tools_" : `${wanted}_`;
  for await (const { name } of Deno.readDir(folder)) if (name.startsWith(proof)) return true;
  return false;
}

/**
 * Fetches package lists into the folder, which needs no rights, and returns the options that make apt use them. For
 * those of another release, nothing counts as installed.
 */
async function updatedLists(folder: string, suite?: string): Promise<string[]> {
  const [state, cache] = [`${folder}/apt/state`, `${folder}/apt/cache`];
  await Deno.mkdir(`${state}/lists/partial`, { recursive: true });
  await Deno.mkdir(`${cache}/archives/partial`, { recursive: true });
  const settings = [`Dir::State=${state}`, `Dir::Cache=${cache}`];
  if (suite === undefined) {
    settings.push("Dir::State::status=/var/lib/dpkg/status");
  } else {
    await Deno.writeTextFile(`${folder}/apt/status`, "");
    await Deno.writeTextFile(`${folder}/apt/sources.list`, `deb [signed-by=${KEYS}] ${MIRROR} ${suite} main\n`);
    settings.push(`Dir::State::status=${folder}/apt/status`, `Dir::Etc::sourcelist=${folder}/apt/sources.list`);
    settings.push("Dir::Etc::sourceparts=/dev/null");
  }
  const options = settings.flatMap((setting) => ["-o", setting]);
  await run("apt-get", [...options, "update"]);
  return options;
}

/** Writes a script that starts the program with the unpacked libraries, and with their loader if it is among them. */
async function writeLauncher(path: string, folder: string, program: DebianProgram): Promise<void> {
  const libraries: string[] = [];
  let loader = "";
  for (const parent of ["usr/lib", "lib", "usr/lib64", "lib64"]) {
    for (const { name, isDirectory } of await entries(`${folder}/root/${parent}`)) {
      if (/^ld-linux.*\.so/.test(name)) loader = `$root/${parent}/${name}`;
      if (!isDirectory) continue;
      libraries.push(`$root/${parent}/${name}`);
      const inside = (await entries(`${folder}/root/${parent}/${name}`)).find(({ name }) =>
        /^ld-linux.*\.so/.test(name)
      );
      if (inside && !loader) loader = `$root/${parent}/${name}/${inside.name}`;
    }
  }
  const script = [
    "#!/bin/sh",
    'root="$(dirname "$0")/root"',
    ...loader
      ? [`exec "${loader}" --library-path "${libraries.join(":")}" "$root/${program.path}" "$@"`]
      : [`export LD_LIBRARY_PATH="${libraries.join(":")}"`, `exec "$root/${program.path}" "$@"`],
    "",
  ];
  await Deno.writeTextFile(path, script.join("\n"), { mode: 0o755 });
}

/** What is in a folder; nothing, where there is none. */
async function entries(folder: string): Promise<Deno.DirEntry[]> {
  return await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
}

/**
 * Tells whether a program starts.
 *
 * @param program A name on PATH or a path.
 * @returns Whether `program --version` succeeds.
 */
export async function works(program: string): Promise<boolean> {
  return (await run(program, ["--version"])).success;
}

async function run(program: string, args: string[], cwd?: string): Promise<{ success: boolean; output: string }> {
  try {
    const options = { args, stdin: "null", stdout: "piped", stderr: "null", ...(cwd && { cwd }) } as const;
    const { success, stdout } = await new Deno.Command(program, options).output();
    return { success, output: decoder.decode(stdout) };
  } catch {
    return { success: false, output: "" };
  }
}
