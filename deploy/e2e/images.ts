import { registry } from "../../tools/jsr.ts";
import type { Engine } from "./engine.ts";
import { registriesFor } from "./registries.ts";
import { run } from "./run.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** The name of the image of the app, without its tag. */
export const APP_IMAGE = "larder-example";

/**
 * Builds what would come from a registry out of the programs that are installed here: a `redis:7.2-alpine` with the
 * `redis-server` of this machine, and a `denoland/deno` with the Deno that runs this.
 */
export async function buildStandIns(engine: Engine): Promise<string> {
  const redis = `${engine.folder}/redis`;
  const shell = await path("dash").catch(() => path("sh"));
  const programs = ["redis-server", "redis-cli", "cat", "cut", "sha256sum", "head", "sed", "grep"];
  programs.push("rm", "mkdir", "cp", "chown"); // for restore.sh
  for (const program of programs) await install(redis, await path(program), program);
  await install(redis, shell, "sh");
  await Deno.mkdir(`${redis}/data`);
  await Deno.chown(`${redis}/data`, 999, 1000); // as in the official image
  await importImage(engine, redis, "redis:7.2-alpine", "VOLUME /data", "WORKDIR /data", 'CMD ["redis-server"]');

  const deno = `${engine.folder}/deno`;
  await install(deno, Deno.execPath(), "deno");
  await install(deno, await path("tini").catch(() => path("docker-init")), "../tini");
  await copy("/etc/ssl/certs/ca-certificates.crt", deno);
  await Deno.writeTextFile(`${deno}/etc/nsswitch.conf`, "hosts: files dns\n");
  const base = await baseImage();
  await importImage(engine, deno, base, 'ENTRYPOINT ["/tini","--","/bin/deno"]', "ENV DENO_TLS_CA_STORE=system");
  return `${
    (await run("redis-server", ["--version"])).split(" ")[2]
  } as redis:7.2-alpine, Deno ${Deno.version.deno} as ${base}`;
}

/**
 * Builds the image of the app with the Dockerfile of the project.
 *
 * @returns How it was built, for people.
 */
export async function buildApp(engine: Engine): Promise<string> {
  await using registries = registriesFor(engine, { JSR_URL: registry(), NPM_CONFIG_REGISTRY: npmRegistry() });
  await engine.docker("build", "--network", "host", ...registries.args, "--tag", `${APP_IMAGE}:1`, ROOT);
  await engine.docker("tag", `${APP_IMAGE}:1`, `${APP_IMAGE}:2`);
  const size = async (image: string) => Number(await engine.docker("inspect", "--format", "{{.Size}}", image));
  const added = await size(`${APP_IMAGE}:1`) - await size(await baseImage());
  return `the Dockerfile as it is, modules from ${npmRegistry()}, ${(added / 1e6).toFixed(1)} MB on top of the base`;
}

function npmRegistry(): string {
  return Deno.env.get("NPM_CONFIG_REGISTRY") || "https://registry.npmjs.org/";
}

/** The image that the Dockerfile begins with. */
async function baseImage(): Promise<string> {
  const text = await Deno.readTextFile(`${ROOT}Dockerfile`);
  const version = /^ARG DENO_VERSION=(\S+)/m.exec(text)![1]!;
  return /^FROM (\S+)/m.exec(text)![1]!.replace("${DENO_VERSION}", version);
}

/** Puts a program into the root of an image, with the libraries that it needs. */
async function install(root: string, program: string, name: string): Promise<void> {
  await Deno.mkdir(`${root}/bin`, { recursive: true });
  await Deno.mkdir(`${root}/tmp`, { recursive: true });
  await Deno.chmod(`${root}/tmp`, 0o1777);
  await Deno.copyFile(await Deno.realPath(program), `${root}/bin/${name}`);
  const libraries = [...(await run("ldd", [program]).catch(() => "")).matchAll(/\s(\/\S+)/g)].map(([, path]) => path!);
  const libc = libraries.find((library) => library.includes("/libc.so"));
  // What looks up names is opened by libc when it is needed.
  const folder = libc?.slice(0, libc.lastIndexOf("/"));
  for (const name of ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]) libraries.push(`${folder}/${name}`);
  for (const library of libraries) await copy(library, root);
}

async function copy(file: string, root: string): Promise<void> {
  await Deno.mkdir(root + file.slice(0, file.lastIndexOf("/")), { recursive: true });
  await Deno.copyFile(file, root + file);
}

async function importImage(engine: Engine, root: string, name: string, ...changes: string[]): Promise<void> {
  await run("tar", ["--directory", root, "--create", "--file", `${root}.tar`, "."]);
  await engine.docker("import", ...["ENV PATH=/bin", ...changes].flatMap((c) => ["--change", c]), `${root}.tar`, name);
  await Deno.remove(`${root}.tar`);
}

async function path(program: string): Promise<string> {
  return await run("sh", ["-c", `command -v ${program}`]);
}
