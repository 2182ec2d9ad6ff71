/** What the scripts of the tests import besides, as an app would: of the versions that all tests have. */
const BESIDE = ["elysia", "express", "fastify", "h3", "hono", "ioredis", "redis"];
/** What the example for NestJS imports. */
const NEST = ["@nestjs/common", "@nestjs/core", "@nestjs/platform-express", "reflect-metadata", "rxjs"];
/** What none of the other tests has. */
const MORE = { "@hono/node-server": "2.1.9" };
/** Where Larder goes in a project. */
const PACKAGE = "node_modules/@larder/larder";

const ROOT = new URL("../../", import.meta.url);

/**
 * Makes JavaScript of the TypeScript in a folder: the types are taken out, and the imports say what the files are
 * called then.
 */
const STRIP = `
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
for (const entry of readdirSync(process.argv[2], { recursive: true, withFileTypes: true })) {
  if (!entry.name.endsWith(".ts")) continue;
  const path = entry.parentPath + "/" + entry.name;
  const code = stripTypeScriptTypes(readFileSync(path, "utf8"));
  writeFileSync(path.replace(/ts$/, "js"), code.replace(/(from\\s*|import\\(\\s*)"(\\.[^"]*)\\.ts"/g, '$1"$2.js"'));
  rmSync(path);
}
`;

/**
 * A project of Node or Bun that has Larder as `npx jsr add` brings it: one file of JavaScript for each of TypeScript,
 * entry points in `package.json`, and the packages of npm that it imports. They come from Deno's cache.
 */
export class NpmProject implements AsyncDisposable {
  /** Its folder, with a slash at the end. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Makes one.
   *
   * @param node A Node.js that can take types out.
   * @param scripts Files of this folder that go into the project.
   */
  static async create(node: string, scripts: readonly string[]): Promise<NpmProject> {
    const project = new NpmProject(`${await Deno.makeTempDir({ prefix: "larder-npm-" })}/`);
    await project.#write(node);
    for (const name of scripts) await Deno.copyFile(new URL(name, import.meta.url), `${project.folder}${name}`);
    await copySources(new URL("tests/http/services/", ROOT), `${project.folder}http/services/`);
    await copySources(new URL("examples/nest/", ROOT), `${project.folder}nest/`);
    return project;
  }

  async #write(node: string): Promise<void> {
    const { exports, imports, scopes, version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    const beside = Object.entries<string>(scopes["file:///"]).filter(([name]) => [...BESIDE, ...NEST].includes(name));
    const npm = [...Object.entries<string>(imports), ...beside].flatMap(([name, target]) => {
      const match = /^npm:(?:@[^@]+|[^@]+)@(.+)$/.exec(target);
      return match ? [[name, match[1]!]] : [];
    });
    const dependencies = { ...Object.fromEntries(npm), ...MORE };
    await Deno.writeTextFile(
      `${this.folder}package.json`,
      JSON.stringify({ name: "app", private: true, type: "module", dependencies }),
    );
    await Deno.writeTextFile(`${this.folder}deno.json`, JSON.stringify({ nodeModulesDir: "auto", lock: false }));
    await this.run(Deno.execPath(), "install", "--quiet");
    const folder = `${this.folder}${PACKAGE}/`;
    await copySources(new URL("src/", ROOT), `${folder}src/`);
    await Deno.copyFile(new URL("mod.ts", ROOT), `${folder}mod.ts`);
    await Deno.writeTextFile(`${this.folder}strip.mjs`, STRIP);
    await this.run(node, "--no-warnings", "strip.mjs", folder);
    const entries = Object.entries<string>(exports).map(([name, path]) => [name, path.replace(/ts$/, "js")]);
    await Deno.writeTextFile(
      `${folder}package.json`,
      JSON.stringify({ name: "@larder/larder", version, type: "module", exports: Object.fromEntries(entries) }),
    );
  }

  /** Runs a program in the project. Resolves to what it writes. */
  async run(program: string, ...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd: this.folder, stdin: "null" })
      .output();
    const [output, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    if (!success) throw new Error(`${program} ${args.join(" ")} failed:\n${output}\n${errors}`);
    return output!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function copySources(from: URL, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copySources(new URL(`${name}/`, from), `${to}${name}/`);
    else await Deno.copyFile(new URL(name, from), `${to}${name}`);
  }
}
