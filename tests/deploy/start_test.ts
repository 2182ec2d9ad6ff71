import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readPasswordFile } from "../../src/connect/password_file.ts";
import { testWith } from "../support/program.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);

/** Runs start.sh on secrets of the test's. Resolves to what it said, and the ACL file and the password of the app. */
async function start(
  sh: string,
  secrets: Record<string, string>,
): Promise<{ code: number; said: string; acl: string; password: string | undefined }> {
  const folder = await Deno.makeTempDir({ prefix: "larder-start-" });
  try {
    for (const name of ["secrets", "redis", "bin"]) await Deno.mkdir(`${folder}/${name}`);
    for (const [name, text] of Object.entries(secrets)) await Deno.writeTextFile(`${folder}/secrets/${name}`, text);
    // Only the places are others, and the server that it becomes is one that ends at once.
    const text = (await Deno.readTextFile(new URL("start.sh", DEPLOY)))
      .replaceAll("/run/secrets/", `${folder}/secrets/`)
      .replaceAll("/run/redis/", `${folder}/redis/`)
      .replaceAll("/etc/redis/", decodeURIComponent(DEPLOY.pathname));
    await Deno.writeTextFile(`${folder}/start.sh`, text);
    await Deno.writeTextFile(`${folder}/bin/redis-server`, "#!/bin/sh\necho started\n", { mode: 0o755 });
    const { code, stdout, stderr } = await new Deno.Command(sh, {
      args: [`${folder}/start.sh`],
      env: { PATH: `${folder}/bin:/usr/bin:/bin` },
      clearEnv: true,
    }).output();
    const read = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const acl = await Deno.readTextFile(`${folder}/redis/users.acl`).catch(() => "");
    let password: string | undefined;
    try {
      password = readPasswordFile(`${folder}/secrets/redis_password`, "passwordFile").reveal();
    } catch {
      // no password for the app either
    }
    return { code, said: read(stdout) + read(stderr), acl, password };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function sha256(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test(
  await testWith(
    "dash",
    "start.sh takes no secret of white space alone for a password, and neither does the app",
    async (sh, t) => {
      for (const empty of ["", "\n", "\r\n", "\n\n\n", " ", "\t \r\n"]) {
        for (
          const secrets of [{ redis_password: empty, redis_password_previous: "right" }, {
            redis_password: "right",
            redis_password_previous: empty,
          }]
        ) {
          await t.step(JSON.stringify(secrets), async () => {
            const { code, said, acl, password } = await start(sh, secrets);
            assertEquals([code, acl], [78, ""]);
            assertStringIncludes(said, "is empty");
            assert(!said.includes("started"));
            assertEquals(password, empty === secrets.redis_password ? undefined : "right");
          });
        }
      }
      await t.step("none at all", async () => {
        const { code, said } = await start(sh, {});
        assertEquals([code, said], [78, "start.sh: the secret redis_password is missing\n"]);
      });
    },
  ),
);

Deno.test(
  await testWith(
    "dash",
    "start.sh and the app take the same password out of a secret, whatever ends its lines",
    async (sh, t) => {
      for (
        const secret of [
          "hunter2",
          "hunter2\n",
          "hunter2\r\n",
          "hunter2\n\n",
          "a\nb\n",
          " é ",
          "*",
          "a'b\"$(c)`d`\\",
          ".",
        ]
      ) {
        await t.step(JSON.stringify(secret), async () => {
          const { code, said, acl, password } = await start(sh, {
            redis_password: secret,
            redis_password_previous: "old",
          });
          assertEquals([code, said], [0, "started\n"]);
          assertStringIncludes(acl, `user app on #${await sha256(password!)} #${await sha256("old")} `);
        });
      }
    },
  ),
);
