/** What the scripts of the tests import besides, as an app would: of the versions that all tests have. */
const BESIDE = ["@oakserver/oak", "elysia", "express", "fastify", "h3", "hono", "ioredis", "redis"];
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
    const packages = { ...await dependenciesOf([...BESIDE, ...NEST]), ...MORE };
    await project.#write(node, packages, Deno.execPath(), "install", "--quiet");
    for (const name of scripts) await Deno.copyFile(new URL(name, import.meta.url), `${project.folder}${name}`);
    await copySources(new URL("tests/http/services/", ROOT), `${project.folder}http/services/`);
    await copySources(new URL("examples/nest/", ROOT), `${project.folder}nest/`);
    return project;
  }

  /**
   * Makes one of an app that is there, with the packages that it wants.
   *
   * @param node A Node.js that can take types out.
   * @param npm Brings the packages: there are optional ones that Deno cannot do without.
   * @param app Its folder.
   */
  static async of(node: string, npm: string, app: URL): Promise<NpmProject> {
    const project = new NpmProject(`${await Deno.makeTempDir({ prefix: "larder-app-" })}/`);
    await copySources(app, project.folder);
    const text = await Deno.readTextFile(`${project.folder}package.json`);
    const { dependencies, devDependencies } = JSON.parse(text);
    const { "@larder/larder": _, ...own } = dependencies;
    const all = { ...await dependenciesOf([]), ...own, ...devDependencies };
    await project.#write(node, all, npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error");
    await Deno.writeTextFile(`${project.folder}package.json`, text);
    await Deno.writeTextFile(`${project.folder}deno.json`, JSON.stringify({ nodeModulesDir: "manual", lock: false }));
    return project;
  }

  async #write(node: string, dependencies: Record<string, string>, ...install: [string, ...string[]]): Promise<void> {
    const { exports, version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    await Deno.writeTextFile(
      `${this.folder}package.json`,
      JSON.stringify({ name: "app", private: true, type: "module", dependencies }),
    );
    await Deno.writeTextFile(`${this.folder}deno.json`, JSON.stringify({ nodeModulesDir: "auto", lock: false }));
    await this.run(...install);
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
    return await this.runWith({}, program, ...args);
  }

  /** The same with some variables of the environment. */
  async runWith(env: Record<string, string>, program: string, ...args: string[]): Promise<string> {
    const command = new Deno.Command(program, { args, env, cwd: this.folder, stdin: "null" });
    const { success, stdout, stderr } = await command.output();
    const [output, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    if (!success) throw new Error(`${program} ${args.join(" ")} failed:\n${output}\n${errors}`);
    return output!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The packages of npm that Larder needs, and some of those that its tests have. */
async function dependenciesOf(names: readonly string[]): Promise<Record<string, string>> {
  const { imports, scopes } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const beside = Object.entries<string>(scopes["file:///"]).filter(([name]) => names.includes(name));
  const npm = [...Object.entries<string>(imports), ...beside].flatMap(([name, target]) => {
    const match = /^npm:(?:@[^@]+|[^@]+)@(.+)$/.exec(target);
    return match ? [[name, match[1]!]] : [];
  });
  return Object.fromEntries(npm);
}

async function copySources(from: URL, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copySources(new URL(`${name}/`, from), `${to}${name}/`);
    else await Deno.copyFile(new URL(name, from), `${to}${name}`);
  }
}
