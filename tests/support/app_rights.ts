const TEMPLATE = new URL("../../deploy/users.acl.tmpl", import.meta.url);

/**
 * The rights of the app, as deployed, in any namespace, since tests have their own: suites of all services run with
 * them, and end with an error where something was refused.
 */
export const APP_RIGHTS: string = await rightsOf("app");

async function rightsOf(user: string): Promise<string> {
  const line = (await Deno.readTextFile(TEMPLATE)).split("\n").find((line) => line.startsWith(`user ${user} `))!;
  return `resetkeys ~{*}:* resetchannels &*:* ${line.slice(line.indexOf("-@all"))}`;
}
