/** What redis-server consists of where apt cannot tell what is missing; unknown names are passed over. */
const PACKAGES = [
  ...["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1", "liblua5.1-0", "lua-bitop", "lua-cjson"],
  ...["libhiredis0.14", "libhiredis1.1.0"],
];

const decoder = new TextDecoder();

/**
 * Fetches redis-server and the libraries that it lacks as Debian packages and unpacks them, without installing anything.
 *
 * @param folder Where to put them; what is there already is used.
 * @returns The executable, or `undefined` where this is no Debian or the packages cannot be had.
 */
export async function unpackDebianRedis(folder: string): Promise<string | undefined> {
  const executable = `${folder}/redis-server`;
  if (await works(executable)) return executable;
  if (!await works("apt-get") || !await works("dpkg")) return undefined;
  // deno-lint-ignore no-console
  console.log(`Fetching redis-server as Debian packages into ${folder} (once, nothing is installed).`);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const packages = `${folder}/packages`;
  await Deno.mkdir(packages, { recursive: true });
  if (!await download(packages, []) && !await download(packages, await updatedLists(folder))) return undefined;
  for await (const { name } of Deno.readDir(packages)) {
    await run("dpkg", ["-x", `${packages}/${name}`, `${folder}/root`]);
  }
  for (const done of [packages, `${folder}/apt`]) await Deno.remove(done, { recursive: true }).catch(() => {});
  await writeLauncher(executable, folder);
  return await works(executable) ? executable : undefined;
}

/** Downloads the packages into a folder. */
async function download(folder: string, options: string[]): Promise<boolean> {
  const { output } = await run("apt-get", [
    ...options,
    ...["install", "--simulate", "--no-install-recommends", "redis-server"],
  ]);
  const missing = [...output.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!);
  for (const name of missing.includes("redis-tools") ? missing : PACKAGES) {
    await run("apt-get", [...options, "download", name], folder);
  }
  for await (const { name } of Deno.readDir(folder)) if (name.startsWith("redis-tools_")) return true;
  return false;
}

/** Fetches package lists into the folder, which needs no rights, and returns the options that make apt use them. */
async function updatedLists(folder: string): Promise<string[]> {
  const [state, cache] = [`${folder}/apt/state`, `${folder}/apt/cache`];
  await Deno.mkdir(`${state}/lists/partial`, { recursive: true });
  await Deno.mkdir(`${cache}/archives/partial`, { recursive: true });
  const status = "/var/lib/dpkg/status";
  const options = [`Dir::State=${state}`, `Dir::State::status=${status}`, `Dir::Cache=${cache}`].flatMap((
    o,
  ) => ["-o", o]);
  await run("apt-get", [...options, "update"]);
  return options;
}

/** Writes a script that starts the server with the unpacked libraries. */
async function writeLauncher(path: string, folder: string): Promise<void> {
  const libraries: string[] = [];
  for (const parent of ["usr/lib", "lib"]) {
    try {
      for await (const { name, isDirectory } of Deno.readDir(`${folder}/root/${parent}`)) {
        if (isDirectory) libraries.push(`$root/${parent}/${name}`);
      }
    } catch {
      // Not every package has this folder.
    }
  }
  const script = [
    "#!/bin/sh",
    'root="$(dirname "$0")/root"',
    `export LD_LIBRARY_PATH="${libraries.join(":")}"`,
    'exec "$root/usr/bin/redis-server" "$@"',
    "",
  ];
  await Deno.writeTextFile(path, script.join("\n"), { mode: 0o755 });
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
