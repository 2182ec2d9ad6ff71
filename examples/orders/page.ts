/** The page: it lists what is kept, and then what it is told. */
export const PAGE: string = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Orders</title>
<h1>Orders</h1>
<form>
  <label>Item <input name="item" required maxlength="80" autocomplete="off"></label>
  <button>Order</button>
</form>
<p role="status"></p>
<ol aria-label="Orders"></ol>
<script type="module">
  const list = document.querySelector("ol");
  const status = document.querySelector("[role=status]");
  const shown = new Map();

  function show(orders) {
    for (const order of orders) shown.set(order.id, order);
    const sorted = [...shown.values()].sort((a, b) => a.id - b.id);
    const line = ({ item }) => Object.assign(document.createElement("li"), { textContent: item });
    list.replaceChildren(...sorted.map(line));
  }

  async function readAll() {
    show(await (await fetch("/orders")).json());
  }

  const events = new EventSource("/events");
  events.onopen = () => { status.textContent = "live"; readAll(); };
  events.onerror = () => { status.textContent = "connecting again"; };
  events.onmessage = ({ data }) => show([JSON.parse(data)]);
  events.addEventListener("gap", readAll); // some may be missing

  document.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const item = new FormData(event.target).get("item");
    event.target.reset();
    const response = await fetch("/orders", { method: "POST", body: JSON.stringify({ item }) });
    if (!response.ok) status.textContent = "not ordered";
  });
</script>
</html>`;
