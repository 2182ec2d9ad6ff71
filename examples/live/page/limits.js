/** How much the visitor may still do, and a button to use it up. */
const { $, el, hear, ask, press, say, refresher, count, countdown } = globalThis.live;

/** What the policy of a limit does while Redis does not answer. */
const POLICIES = { local: "counted in this process", open: "not counted" };

const rows = new Map();
let ticking;

function rowOf(name) {
  const known = rows.get(name);
  if (known) return known;
  const title = el("h3", {}, name, " ", el("span"));
  const fill = el("div");
  const meter = el(
    "div",
    { class: "meter", role: "meter", "aria-label": `${name}: calls left`, "aria-valuemin": "0" },
    fill,
  );
  const left = el("p", { class: "left" });
  const actions = el("div", { class: "actions" });
  const element = el("div", { class: "limit", "data-limit": name }, title, actions, meter, left);
  const row = { name, element, title, fill, meter, left, actions, until: 0, refusal: "" };
  rows.set(name, row);
  $("limits").append(element);
  return row;
}

function addButtons(row, limit) {
  const { name, actions } = row;
  const call = el("button", { type: "button", "aria-label": `Call ${name}` }, "Call");
  press(call, () => use(row, 1));
  actions.append(call);
  if (limit >= 100) {
    const cost = Math.min(100, limit / 10);
    const many = el("button", { type: "button", "aria-label": `Call × ${cost}: ${name}` }, `Call × ${cost}`);
    press(many, () => use(row, cost));
    actions.append(many);
  }
  const reset = el("button", { type: "button", "aria-label": `Start over: ${name}` }, "Start over");
  press(reset, async () => {
    const { status, body } = await ask(`/live/limits/${name}`, "DELETE");
    row.refusal = "";
    const done = status === 200 && body.done;
    say($("limits-said"), done ? `${name}: all is forgotten.` : `${name} cannot be reset now.`, !done);
    await refresh();
  });
  actions.append(reset);
}

async function use(row, cost) {
  const { status, headers, body } = await ask(`/live/limits/${row.name}?cost=${cost}`, "POST");
  if (status === 429 || status === 503) {
    const seconds = Number(headers.get("retry-after"));
    row.refusal = String(status);
    say($("limits-said"), `${row.name}: ${status} ${body.title}. Retry-After: ${count(seconds)} s.`, true);
  } else if (status === 200) {
    row.refusal = "";
    say($("limits-said"), `${row.name}: 200, ${count(body.remaining)} left.`);
  } else {
    say($("limits-said"), body.detail, true);
  }
  await refresh();
}

function show(state) {
  const row = rowOf(state.name);
  const { allowed, limit, window, remaining, resetAfter, retryAfter, degraded, source } = state;
  if (row.actions.childElementCount === 0) addButtons(row, limit);
  row.title.lastChild.textContent = `${count(limit)} in ${lengthOf(window)}`;
  row.meter.ariaValueMax = limit;
  row.meter.ariaValueNow = remaining;
  row.meter.ariaValueText = `${remaining} of ${limit} left`;
  row.fill.style.width = `${remaining / limit * 100}%`;
  if (allowed) row.refusal = "";
  row.element.classList.toggle("low", remaining <= limit / 5);
  row.element.classList.toggle("refused", !allowed);
  row.until = performance.now() + (allowed ? resetAfter : retryAfter) * 1000;
  row.text = (time) => {
    if (source === "policy" && !allowed) return "Redis is away: refused by policy";
    const policy = degraded ? `, Redis is away: ${POLICIES[source === "local" ? "local" : "open"]}` : "";
    if (!allowed) return `${row.refusal || "429"}: again in ${time}${policy}`;
    const all = remaining === limit || resetAfter === 0 ? "" : `, all again in ${time}`;
    return `${count(remaining)} left${all}${policy}`;
  };
}

function lengthOf(seconds) {
  return seconds >= 3600 ? `${seconds / 3600} h` : `${seconds / 60} min`;
}

/** Counts down, and asks how it stands when a time is over. */
function tick() {
  let over = false;
  for (const row of rows.values()) {
    const seconds = (row.until - performance.now()) / 1000;
    row.left.textContent = row.text(countdown(Math.max(0, seconds)));
    if (seconds <= 0 && row.until > 0) {
      row.until = 0;
      over ||= row.element.classList.contains("refused") || row.meter.ariaValueNow !== row.meter.ariaValueMax;
    }
  }
  if (over) refresh();
}

const refresh = refresher(async () => {
  const { status, body } = await ask("/live/limits");
  if (status !== 200) return;
  $("limits").querySelector(".empty")?.remove();
  $("limits-figure").textContent = `for ${body.id}`;
  body.limits.forEach(show);
  tick();
  ticking ??= setInterval(tick, 250);
});

hear("hello", refresh);
hear("status", (status) => status !== "away" && refresh());
hear("changed", (what) => what === "limits" && refresh());
