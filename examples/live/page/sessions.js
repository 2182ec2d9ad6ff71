/** Who is logged in, on which devices. */
const { $, el, hear, ask, press, say, refresher, clock } = globalThis.live;

const BROWSERS = [[/Edg\//, "Edge"], [/Firefox\//, "Firefox"], [/Chrom(e|ium)\//, "Chromium"], [/Safari\//, "Safari"]];
const SYSTEMS = [[/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS/, "macOS"], [
  /Linux/,
  "Linux",
]];
const ELSEWHERE = "Log in from another browser or a private window too: it appears here at once.";

let user;
let shown;

function nameOf(userAgent) {
  const find = (names) => names.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  if (!browser) return userAgent.slice(0, 60) || "Unknown device";
  return system ? `${browser} on ${system}` : browser;
}

function item({ handle, userAgent, address, createdAt, here }) {
  const detail = `${address || "unknown address"}, since ${clock(createdAt)}, session ${handle.slice(0, 8)}…`;
  const name = nameOf(userAgent);
  const about = el("span", {}, name, el("span", { class: "detail" }, detail));
  if (here) return el("li", {}, about, el("span", { class: "here" }, "this one"));
  const end = el("button", { type: "button", "aria-label": `End ${name}, since ${clock(createdAt)}` }, "End");
  press(end, async () => {
    const { status, body } = await ask("/live/end", "POST", { handle });
    said(status, body, "That device is logged out.");
    await refresh();
  });
  return el("li", {}, about, end);
}

function show({ available, user: name, devices }) {
  // Who stood on what goes away now is put where it goes on.
  const stood = $("account").contains(document.activeElement);
  user = name ?? undefined;
  $("login").hidden = !available || name !== null;
  $("account").hidden = name === null;
  $("sessions-figure").textContent = name === null
    ? ""
    : `${name}, on ${devices.length} ${devices.length === 1 ? "device" : "devices"}`;
  const now = JSON.stringify(devices.map(({ handle, here }) => [handle, here]));
  if (now !== shown) $("devices").replaceChildren(...devices.map(item));
  shown = now;
  $("sessions-hint").textContent = available
    ? name === null ? "Any name will do: there are no passwords here." : ELSEWHERE
    : "Redis is away: nobody can know who is logged in.";
  if (stood && !$("account").contains(document.activeElement)) {
    (name === null ? $("name") : $("logout")).focus({ preventScroll: true });
  }
}

function said(status, body, text) {
  if (status === 429) {
    return say($("sessions-said"), "429: AUTH is used up. Wait, or start it over in Rate limits.", true);
  }
  say($("sessions-said"), status === 200 ? text : body.detail ?? `The service answered ${status}`, status !== 200);
}

const refresh = refresher(async () => {
  const before = user;
  const { status, body } = await ask("/live/session");
  if (status !== 200) return;
  show(body);
  if (before && body.available && body.user === null && $("sessions-said").textContent === "") {
    say($("sessions-said"), "You were logged out from another device.");
  }
});

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { status, body } = await ask("/live/login", "POST", { name: $("name").value });
  said(status, body, "");
  // Asked anew: what is under way was asked without the cookie.
  await refresh();
  if (user) $("logout").focus({ preventScroll: true });
});
press($("logout"), async () => {
  const { status, body } = await ask("/live/logout", "POST");
  said(status, body, "You are logged out.");
  await refresh();
});
press($("logout-everywhere"), async () => {
  const { status, body } = await ask("/live/logout-everywhere", "POST");
  said(status, body, `Logged out everywhere: ${body.ended} ${body.ended === 1 ? "session" : "sessions"} ended.`);
  await refresh();
});

hear("hello", refresh);
hear("status", (status) => status !== "away" && refresh());
hear("changed", (what) => what === "sessions" && refresh());
