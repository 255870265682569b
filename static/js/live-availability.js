/* <live-availability data-url="…/ws/availability/?activity=…" data-poll="?day=…">: the numbers inside stay true.
   Pushed over a socket; asked for every 30 s (data-every) while there is no push. Without script the page is as it was.

   Inside: rows [data-session data-version data-capacity] with [data-left] and perhaps [data-book]; [data-rows] around
   what is replaced (else the whole inside is); [data-connection role=status] for "Reconnecting…". data-poll may answer
   with the rows, or with anything that has a <live-availability> in it.
   Words: data-text-left="{n} left", data-text-full, data-text-closed, data-text-reconnecting. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 12000;
const SILENCE = 300000; // so long without a word, even from a living socket, and the page is asked anew
const FOR_GOOD = [4403, 4404]; // closed because there is nothing to follow here

class LiveAvailability extends HTMLElement {
  connectedCallback() {
    this.known = new Map();
    this.every = Number(this.dataset.every || 30) * 1000;
    this.pause = FIRST_PAUSE;
    this.heardAt = this.askedAt = Date.now();
    this.isGone = false;
    this.look = () => document.hidden || this.wake();
    this.wakeUp = () => this.wake();
    document.addEventListener("visibilitychange", this.look);
    addEventListener("online", this.wakeUp);
    this.ticker = setInterval(() => this.tick(), 1000);
    this.connect();
  }

  disconnectedCallback() {
    this.isGone = true;
    document.removeEventListener("visibilitychange", this.look);
    removeEventListener("online", this.wakeUp);
    clearInterval(this.ticker);
    clearTimeout(this.retry);
    this.socket?.close();
  }

  connect() {
    clearTimeout(this.retry);
    if (!this.dataset.url || !("WebSocket" in window)) return;
    try {
      this.socket = new WebSocket(this.dataset.url.replace(/^http/, "ws"));
    } catch {
      return;
    }
    this.socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.socket.onclose = (event) => this.lose(event.code);
  }

  /* Sooner for one, later for another: a server that comes back is not run over by everybody at once. */
  lose(code) {
    this.socket = null;
    if (this.isGone) return;
    this.setLive(false, !FOR_GOOD.includes(code));
    if (FOR_GOOD.includes(code)) return;
    this.retry = setTimeout(() => this.connect(), this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  /* Back from sleep or from no network. */
  wake() {
    if (!this.socket) this.connect();
    if (Date.now() - Math.max(this.heardAt, this.askedAt) > this.every) this.ask();
  }

  tick() {
    const now = Date.now();
    const last = this.isLive ? Math.max(this.heardAt, this.askedAt) + SILENCE : this.askedAt + this.every;
    if (now >= last && !document.hidden) this.ask();
  }

  hear(message) {
    this.heardAt = Date.now();
    if (message.push === "away") {
      this.setLive(false, true);
    } else if (message.snapshot) {
      this.pause = FIRST_PAUSE;
      this.setLive(true);
      message.snapshot.forEach((state) => this.learn(state));
    } else if (message.session) {
      this.learn(message);
    } else {
      this.ask(); // the timetable or a price changed
    }
  }

  setLive(isLive, isHoped = false) {
    [this.isLive, this.isHoped] = [isLive, isHoped];
    this.classList.toggle("is-live", isLive);
    const words = this.querySelector("[data-connection]");
    if (words) words.textContent = isHoped ? this.dataset.textReconnecting || "Reconnecting…" : "";
  }

  learn(state) {
    if (state.version < this.known.get(state.session)?.version) return;
    this.known.set(state.session, state);
    const row = this.querySelector(`[data-session="${CSS.escape(state.session)}"]`);
    if (row) this.show(row, state);
  }

  show(row, { capacity_remaining: n, status, version }) {
    if (version < Number(row.dataset.version)) return;
    row.dataset.version = version;
    const isOpen = status === "published" && n > 0;
    const isFull = status === "full";
    const words = this.dataset[isOpen ? "textLeft" : isFull ? "textFull" : "textClosed"] || "";
    const left = row.querySelector("[data-left]");
    const text = words.replace("{n}", n);
    const book = row.querySelector("[data-book]");
    if (isOpen && !book && row.classList.contains("is-full")) return this.ask(); // the server makes the button
    if (isOpen && !book && !left?.textContent) return; // not open yet, or closed already: the server has said why
    const isExplained = row.querySelector(".row-reason") !== null; // the server's reason says more than a word
    if (left && !isExplained && left.textContent !== text) left.textContent = text;
    row.classList.toggle("is-few", isOpen && n * 5 <= Number(row.dataset.capacity));
    row.classList.toggle("is-full", isFull);
    if (book) this.setBookable(book, isOpen);
  }

  setBookable(book, isOpen) {
    if (isOpen === !book.hasAttribute("aria-disabled")) return;
    book.toggleAttribute("disabled", !isOpen && "disabled" in book);
    if (isOpen) {
      book.removeAttribute("aria-disabled");
      if (book.dataset.href) book.setAttribute("href", book.dataset.href);
    } else {
      book.setAttribute("aria-disabled", "true");
      if (book.hasAttribute("href")) book.dataset.href = book.getAttribute("href");
      book.removeAttribute("href");
    }
  }

  /* Ask the page for the rows as they are, at most once at a time; what was pushed meanwhile stands. */
  async ask() {
    this.askedAt = Date.now();
    if (this.isAsking || !this.dataset.poll) return;
    this.isAsking = true;
    try {
      const answer = await fetch(this.dataset.poll, { headers: { "HX-Request": "true" } });
      if (answer.ok) this.replace(await answer.text());
    } catch {
      // no network: the next time, then
    } finally {
      this.isAsking = false;
    }
  }

  replace(html) {
    if (this.isGone) return;
    const place = this.querySelector("[data-rows]") || this;
    const focused = place.contains(document.activeElement) && document.activeElement.closest("[data-session]");
    const answer = new DOMParser().parseFromString(html, "text/html");
    const inside = answer.querySelector("live-availability") || answer.body;
    place.replaceChildren(...(inside.querySelector("[data-rows]") || inside).childNodes);
    window.htmx?.process(place);
    this.setLive(this.isLive, this.isHoped);
    for (const row of place.querySelectorAll("[data-session]")) {
      const state = this.known.get(row.dataset.session);
      if (state && state.version > Number(row.dataset.version)) this.show(row, state);
    }
    if (focused) place.querySelector(`[data-session="${focused.dataset.session}"] [data-book]`)?.focus();
  }
}

customElements.define("live-availability", LiveAvailability);
