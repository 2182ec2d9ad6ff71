import type { SessionInfo } from "@larder/larder/sessions";
import type { View } from "./site.ts";

/** The page of a visitor. */
export function loginPage(visits: number, problem = ""): string {
  return page(
    "Log in",
    `${problem && `<p role="alert">${escape(problem)}</p>`}
    <form method="post" action="/login">
      <label>Name <input name="name" autocomplete="username" required></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <button>Log in</button>
    </form>
    <p id="visits">Visits: ${visits}</p>`,
  );
}

/** The page of somebody who is logged in. */
export function userPage({ session, devices }: View): string {
  return page(
    `Hello, ${session.userId}`,
    `<p id="visits">Visits: ${session.data.visits}</p>
    <h2>Where you are logged in</h2>
    <ul>${devices.map((device) => item(device, device.handle === session.handle)).join("")}</ul>
    ${button("/logout", "Log out")}
    ${button("/logout-others", "Log out all others")}
    ${button("/logout-everywhere", "Log out everywhere")}`,
  );
}

function item({ handle, device, lastSeenAt }: SessionInfo, current: boolean): string {
  const where = `${device?.userAgent ?? "unknown"} at ${device?.address ?? "an unknown address"}`;
  const end = `<form method="post" action="/end">
      <input type="hidden" name="handle" value="${escape(handle)}"><button>End</button>
    </form>`;
  return `<li>${escape(where)}, ${new Date(lastSeenAt).toISOString()} ${current ? "(here)" : end}</li>`;
}

function button(action: string, text: string): string {
  return `<form method="post" action="${action}"><button>${text}</button></form>`;
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title>
    <h1>${escape(title)}</h1>${body}</html>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
